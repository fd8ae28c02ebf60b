"""Pictures as files, the same byte for byte, and as part of a page. A file describes in words what it shows."""

import io
import re
from html import unescape
from typing import Any

from bench.report.charts import Drawing, only_this_picture

NOTHING = {"Date": None, "Creator": None, "Format": None, "Type": None}  # nothing of the moment or of matplotlib


@only_this_picture()
def content(drawing: Drawing, suffix: str = ".svg") -> bytes:
    """Return a picture as a file: SVG, whose title is the caption, whose description is the words, or PNG.

    Raises:
        NotDrawn: drawing failed.
    """
    from bench.report.charts import style  # with matplotlib, which pages without pictures need not wait for

    options: dict[str, Any] = {"metadata": {**NOTHING, "Title": drawing.caption, "Description": drawing.alt}}
    if suffix == ".png":
        options = {"metadata": {"Software": None}, "dpi": style.DPI}
    file = io.BytesIO()
    with style.drawing():
        drawing.figure.savefig(file, format=suffix.removeprefix("."), **options)
    return file.getvalue()


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
