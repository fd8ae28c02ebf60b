"""How every picture looks: paper, colours, type, and what stands around it."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from bench.claims import MNIST_SAMPLE
from bench.records import Record

PAPER, INK, FAINT = "#fbfaf6", "#22252a", "#6b7078"  # an opaque card reads the same in light and in dark
HUES = (
    "#332288", "#117733", "#1a8a7a", "#882255", "#aa4499", "#d1495b", "#7a7a1f", "#2b7bba", "#c45a12", "#5c4a3a",
)  # fmt: skip  # at least 4:1 on PAPER, after Paul Tol's muted scheme
SEED = 11648  # of the first 12,000: common kernels far apart, to colour-blind readers too, and few of the others alike
WIDTH, HEAD, FOOT = 576, 38, 34  # points of a picture; a README shows it 830 pixels wide, 10 points as 14 pixels
DPI = 200
LONGEST = 32  # characters of a kernel's name that a picture has room for
STALE = "////"  # the hatch of what was measured with a source that has changed since
WRONG = "#b3440b"  # vermilion, which no common colour blindness takes for blue; a mark or a word says the same
MONO, MONO_WIDTH = "DejaVu Sans Mono", 0.60205  # of its size, every character
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


def sheet(width: float, height: float) -> tuple[Figure, Axes]:
    """Return a figure with one empty axes all over it, in points: x to the right, y down, as on paper."""
    figure = Figure(figsize=(width / 72, height / 72))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.axis("off")
    return figure, axes


def small_print(record: Record) -> str:
    """Return what stands under every picture with figures in it: digits, machine, condition, versions, commit."""
    facts = {key: str(value) for key, value in record.facts.items()}
    data = f"{facts.get('dataset', 'unknown digits')} {facts.get('dataset_digest', '?')[:12]}"
    machine = f"{facts.get('cpu_model_name', 'unknown CPU')}, {facts.get('cpu_count', '?')} cores"
    gpu = [facts["gpu"]] if facts.get("gpu", "none") != "none" else []
    versions = ", ".join(f"{name} {facts.get(f'{key}_version', 'unknown')}" for key, name in VERSIONS.items())
    timed = [record.label] if record.samples else []  # of memory there are no process sets
    lines = [data, machine, *gpu, record.condition], [*timed, versions, f"commit {facts.get('commit', 'unknown')}"]
    return "\n".join(" · ".join(line) for line in lines)


def credit(record: Record) -> str:
    """Return whose digits they are: what stands under every picture that shows some."""
    name = str(record.facts.get("dataset", "unknown"))
    if name == "drawn":
        return "Digits drawn by this project"
    return MNIST if "mnist" in name.lower() or record.facts.get("dataset_digest") == MNIST_SAMPLE else f"Digits: {name}"


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


def text_width(text: str, size: float = 10) -> float:
    """Return how wide a text is set, in points."""
    width, _, _ = text_to_path.get_text_width_height_descent(text, FontProperties(size=size), ismath=False)
    return float(width)


def short(name: str) -> str:
    """Return a kernel's name as pictures show it: of a long one beginning and end."""
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 13]}…{name[-12:]}"


def colour(kernel: str) -> tuple[float, float, float]:
    """Return a kernel's colour, taken from its name: one of HUES, in one of three shades, which all show on PAPER."""
    hue, shade, *_ = hashlib.sha256(f"{SEED}{kernel}".encode()).digest()
    darker = (0, 0.22, 0.42)[shade % 3]
    mixed = zip(to_rgb(HUES[hue % len(HUES)]), to_rgb(INK), strict=True)
    red, green, blue = (bright * (1 - darker) + dark * darker for bright, dark in mixed)
    return red, green, blue
