"""One picture per file: each a pure function of a selection, that is of records, and of digits and kernel files.

A picture is a module with `draw(selection) -> Drawing`.
May import `analysis`, `records`, `code_size` and the rest of `report`; what shows digits also `task`.
Begin with `speedup.py`, the picture in the README.
"""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.atomic import printable
from bench.report.page_records import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # which takes most of a second to import

PICTURES = ("side_by_side", "speedup", "ladder", "sizes", "scopes", "code_size", "memory", "gallery", "broadcasting")
OF_DIGITS = ("gallery", "broadcasting")  # these show pixels, which no record holds


class NotDrawn(Exception):
    """A picture has nothing to show; the message says what is missing and how to get it."""


@dataclass(frozen=True)
class Drawing:
    """A picture: its figure, its caption, and the text that says in words and numbers what it shows."""

    figure: "Figure"
    caption: str
    alt: str


def draw(name: str, selection: Selection) -> Drawing:
    """Draw one of PICTURES.

    Raises:
        NotDrawn: the selection lacks what it shows.
        BadRecord: the checklist of a record FAILs, so that it may not be drawn.
    """
    drawing: Drawing = importlib.import_module(f"{__name__}.{name}").draw(selection)
    for artist in drawing.figure.findobj():
        if (text := getattr(artist, "get_text", str)()) != printable(text):
            artist.set(text=printable(text))
    return Drawing(drawing.figure, printable(drawing.caption), printable(drawing.alt))
