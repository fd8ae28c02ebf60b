"""How every picture looks: colours, type, and files that come out the same byte for byte."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

PAPER, INK, FAINT = "#fbfaf6", "#22252a", "#6b7078"  # an opaque card reads the same in light and in dark
RC: Any = {  # matplotlib types every key; a mapping of texts is enough here
    "axes.edgecolor": FAINT,
    "axes.facecolor": PAPER,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": PAPER,
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that every machine draws the same
    "font.size": 10,
    "savefig.facecolor": PAPER,
    "svg.hashsalt": "loops-vs-broadcasting",
    "text.color": INK,
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


def colour(kernel: str) -> tuple[float, float, float, float]:
    """Return a kernel's colour: a place on viridis, which colour-blind readers can tell apart, taken from its name."""
    place = int.from_bytes(hashlib.sha256(kernel.encode()).digest()[:4], "big") / 2**32
    red, green, blue, alpha = mpl.colormaps["viridis"](0.1 + 0.75 * place)
    return red, green, blue, alpha


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write `stem`.svg and `stem`.png, each whole or not at all, and return their paths."""
    paths = []
    for suffix, metadata in ((".svg", {"Date": None, "Creator": None}), (".png", {"Software": None})):
        path = stem.with_name(stem.name + suffix)
        partial = stem.with_name(f".{stem.name}.partial{suffix}")
        try:
            figure.savefig(partial, metadata=metadata, dpi=200)
            os.replace(partial, path)
        finally:
            partial.unlink(missing_ok=True)
        paths.append(path)
    return paths
