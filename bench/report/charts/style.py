"""How every picture looks: paper, colours, type, and the text around it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from matplotlib.ticker import FuncFormatter, Locator, NullLocator

from bench.analysis.claims import MNIST_SAMPLE
from bench.records.model import Record

PAPER, INK, FAINT = "#fbfaf6", "#22252a", "#6b7078"  # an opaque card reads the same in light and in dark
# A hue per library, by the beginning of a kernel's name.
# The hues of Paul Tol's colour-blind safe "muted" scheme (SRON/EPS/TN/09-002, 2021, personal.sron.nl/~pault), with the
# blue and the vermilion of Okabe & Ito (2008), darkened to at least 4:1 on PAPER and so that no two look alike to a
# colour-blind reader.
HUES = {
    "triton": "#8a7a30", "opencv": "#ce0ae4", "faiss": "#0600e5", "numexpr": "#01025f", "cupy": "#cf4660",
    "jax": "#0f4d24", "dask": "#7d1a70", "numba": "#4f3bb0", "c": "#5c1035", "sklearn": "#4f571c", "scipy": "#118b76",
    "torch": "#b94a08", "numpy": "#0b6ea8", "python": "#46525c",
}  # fmt: skip
WIDTH, HEAD, FOOT = 576, 38, 34  # points of a picture; a README shows it 830 pixels wide, 10 points as 14 pixels
DPI = 200
LONGEST = 32  # characters of a kernel's name that a picture has room for
STALE = "////"  # the hatch of what was measured with a source that has changed since
WRONG = "#b3440b"  # vermilion, which no common colour blindness takes for blue; a mark or a word says the same
MONO = "DejaVu Sans Mono"
BLANK = {"facecolor": PAPER, "edgecolor": "none", "pad": 2}  # behind words, so that no line crosses them
MNIST = "MNIST, Yann LeCun, Corinna Cortes, Christopher Burges; CC BY-SA 3.0"
VERSIONS = {"python": "Python", "numpy": "NumPy", "torch": "PyTorch"}
RC: Any = {  # matplotlib types every key; a mapping of texts is enough here
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 10,
    "hatch.color": PAPER,
    "hatch.linewidth": 1.5,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "loops-vs-broadcasting",
    "text.color": INK,
    "text.parse_math": False,  # a dollar in a kernel's error is a dollar
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def drawing() -> Iterator[None]:
    """Apply the style while a figure is made and saved."""
    with mpl.rc_context():  # a reader's own matplotlibrc does not change the pictures
        mpl.rcdefaults()
        mpl.rcParams.update(RC)
        yield


def small_print(record: Record) -> str:
    """Return the lines under every picture with figures in it: digits, machine, configuration, versions, commit."""
    metadata = {key: str(value) for key, value in record.metadata.items()}
    data = f"{metadata.get('dataset', 'unknown digits')} {metadata.get('dataset_digest', '?')[:12]}"
    machine = f"{metadata.get('cpu_model_name', 'unknown CPU')}, {metadata.get('cpu_count', '?')} cores"
    gpu = [metadata["gpu"]] if metadata.get("gpu", "none") != "none" else []
    versions = ", ".join(f"{name} {metadata.get(f'{key}_version', 'unknown')}" for key, name in VERSIONS.items())
    label = [record.label] if record.samples else []  # memory has no processes
    commit = f"commit {metadata.get('commit', 'unknown')}"
    return "\n".join(map(" · ".join, ([data, machine, *gpu, record.configuration], [*label, versions, commit])))


def credit(record: Record) -> str:
    """Return whose digits they are: the line under every picture that shows some."""
    name = str(record.metadata.get("dataset", "unknown"))
    if name.lower().startswith("mnist") or record.metadata.get("dataset_digest") == MNIST_SAMPLE:
        return MNIST
    return "Digits drawn by this project" if name == "drawn" else f"Digits: {name}"


def legend(*words: str, stale: bool = False, groups: bool = False) -> str:
    """Return a legend that names only what is in its picture."""
    marks = {"Hatched: stale, its source has changed since.": stale, "†: processes in two groups.": groups}
    return " ".join(filter(None, (*words, *(mark for mark, there in marks.items() if there))))


def card(title: str, legend: str, record: Record, height: float) -> Figure:
    """Return a figure, WIDTH x `height` points: title and legend in the upper HEAD, small print in the lower FOOT."""
    figure = Figure(figsize=(WIDTH / 72, height / 72))
    figure.text(8 / WIDTH, 1 - 8 / height, title, va="top", weight="bold", size=11)
    figure.text(8 / WIDTH, 1 - 25 / height, legend, va="top", size=8, color=FAINT)
    figure.text(8 / WIDTH, 7 / height, small_print(record), va="bottom", size=7.5, color=FAINT, linespacing=1.4)
    return figure


def area(figure: Figure, left: float, top: float, right: float, bottom: float, **options: Any) -> Axes:
    """Return axes that leave so many points free on each side of a figure."""
    width, height = figure.get_size_inches() * 72
    place = (left / width, bottom / height, (width - left - right) / width, (height - top - bottom) / height)
    return figure.add_axes(place, **options)


def sheet(figure: Figure) -> Axes:
    """Return empty axes all over a figure, in points: x to the right, y down, as on paper."""
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return axes


def ticks(axis: Axis, locator: Locator, words: Callable[[float], str]) -> None:
    """Mark an axis where a locator says, each mark in these words, and nowhere else."""
    axis.set_major_locator(locator)
    axis.set_major_formatter(FuncFormatter(lambda value, _: words(value)))
    axis.set_minor_locator(NullLocator())


def text_width(text: str, size: float = 10, weight: str = "normal") -> float:
    """Return how wide a text is set, in points."""
    font = FontProperties(size=size, weight=weight)
    width, _, _ = text_to_path.get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def short(name: str, longest: int = LONGEST) -> str:
    """Return a kernel's name, or another text, as pictures show it: of a long one beginning and end."""
    return name if len(name) <= longest else f"{name[: longest - 13]}…{name[-12:]}"


def label(name: str, stale: bool) -> str:
    """Return a kernel's name as pictures show it, and whether it is stale."""
    return f"{short(name)}{' (stale)' if stale else ''}"


def colour(kernel: str) -> str:
    """Return the hue of a kernel's library, which its name begins with; grey where that is none of HUES."""
    return HUES.get(_library(kernel), FAINT)


def key(figure: Figure, kernels: Iterable[str]) -> None:
    """Write under a card's legend the libraries of kernels, in their hues."""
    height = figure.get_size_inches()[1] * 72
    libraries, x = {*map(_library, kernels)}, 8.0
    used = [(name, HUES[name]) for name in reversed(HUES) if name in libraries]
    for text, hue in [("Colour: library", FAINT), *used]:
        figure.text(x / WIDTH, 1 - 37 / height, text, va="top", weight="bold", size=8, color=hue)
        x += text_width(text, 8, "bold") + 7


def _library(kernel: str) -> str:
    return kernel.partition("_")[0]
