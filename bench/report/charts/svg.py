"""Pictures as files, the same byte for byte, and as part of a page. A file describes in words what it shows."""

import io
import re
from collections.abc import Sequence
from html import unescape
from pathlib import Path

from bench import atomic
from bench.report.charts import Drawing, only_this_picture

NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}  # nothing of the moment or of matplotlib


@only_this_picture()
def svg(drawing: Drawing) -> str:
    """Return a picture as SVG; its title is the caption, its description the text in words and numbers.

    Raises:
        NotDrawn: drawing failed.
    """
    from bench.report.charts import style  # with matplotlib, which pages without pictures need not wait for

    text = io.StringIO()
    with style.drawing():
        metadata = {**NOTHING, "Title": drawing.caption, "Description": drawing.alt}
        drawing.figure.savefig(text, format="svg", metadata=metadata)
    return text.getvalue()


@only_this_picture()
def save(drawing: Drawing, stem: Path, suffixes: Sequence[str] = (".svg", ".png")) -> list[Path]:
    """Write a picture with each of the suffixes, each file whole or not at all, and return the paths.

    Raises:
        NotDrawn: drawing failed.
    """
    from bench.report.charts import style

    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}{suffix}") for suffix in suffixes]
    for path in paths:
        if path.suffix == ".svg":
            atomic.write(path, svg(drawing))
            continue
        with atomic.whole(path) as partial, style.drawing():
            drawing.figure.savefig(partial, format="png", metadata={"Software": None}, dpi=style.DPI)
    return paths


def described(svg: str) -> tuple[str, str]:
    """Return the caption and the words of a picture that `svg` made."""
    matches = (re.search(f"<dc:{tag}>(.*?)</dc:{tag}>", svg, flags=re.DOTALL) for tag in ("title", "description"))
    caption, alt = (unescape(match[1]) if match else "" for match in matches)
    return caption, alt


def inline(prefix: str, svg: str) -> str:
    """Return the <svg> element for a page, as few bytes as look the same; its ids begin with `prefix`."""
    element = re.sub(r"<metadata>.*?</metadata>", "", svg[svg.index("<svg") :], count=1, flags=re.DOTALL)
    targets = dict.fromkeys(re.findall(r"""(?:href="|url\()#([^")]+)""", element))
    used = {target: f"{prefix}{n}" for n, target in enumerate(targets)}
    element = re.sub(r' id="([^"]*)"', lambda match: f' id="{used[match[1]]}"' if match[1] in used else "", element)
    element = re.sub(r'((?:href="|url\()#)([^")]+)', lambda match: match[1] + used[match[2]], element)
    element = re.sub(r"xlink:(?=href)", "", element)
    element = re.sub(r'(<use [^>]*?)transform="translate\(([\d.]+) 0\)"', r'\1x="\2"', element)
    element = re.sub(r"<!--.*?-->|\s+", " ", element, flags=re.DOTALL)
    element = re.sub(r"(\b\d\d+\.\d\d)\d+", r"\1", element)  # a hundredth of a point is not seen
    element = re.sub(r'(?<= d=")[^"]*', lambda match: re.sub(r" ?([A-Za-z]) ?", r"\1", match[0]), element)
    element = re.sub(r"> +<", "><", element)
    return element.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1).strip()
