"""One picture per file: each a pure function of a selection, that is of records, and of digits and kernel files.

A picture is a module with `draw(selection) -> Drawing`.
May import `analysis`, `records`, `code_size` and the rest of `report`; what shows digits also `task`.
Begin with `speedup.py`, the picture in the README.
"""

import importlib
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.atomic import printable
from bench.records.model import BadRecord
from bench.report.page_records import Selection

if TYPE_CHECKING:
    from matplotlib.figure import Figure  # which takes most of a second to import

PICTURES = ("side_by_side", "speedup", "ladder", "sizes", "scopes", "gallery", "broadcasting")
OF_DIGITS = "gallery"  # it shows pixels, which no record holds


class NotDrawn(Exception):
    """A picture cannot be drawn; the message says what is missing and how to get it, or what failed."""


@dataclass(frozen=True)
class Drawing:
    """A picture: its figure, its caption, and the text that says in words and numbers what it shows."""

    figure: "Figure"
    caption: str
    alt: str


@contextmanager
def only_this_picture() -> Iterator[None]:
    """Turn whatever prevents a picture into NotDrawn, so that it costs no other picture and no page."""
    try:
        yield
    except (NotDrawn, OSError):  # the latter is about a file
        raise
    except BadRecord as error:
        raise NotDrawn(str(error)) from error
    except Exception as error:  # a fault of this project, or of a library, in one picture of many
        what, place = f"{type(error).__name__}: {error}", traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}, line {place.lineno}"
        raise NotDrawn(f"Drawing it failed, {' '.join(what.split())[:300]} ({where}).") from error


@only_this_picture()
def draw(name: str, selection: Selection) -> Drawing:
    """Draw one of PICTURES.

    Raises:
        NotDrawn: the selection lacks what it shows, the checklist of its record FAILs, or drawing failed.
    """
    drawing: Drawing = importlib.import_module(f"{__name__}.{name}").draw(selection)
    for artist in drawing.figure.findobj():
        if (text := getattr(artist, "get_text", str)()) != printable(text):
            artist.set(text=printable(text))
    return Drawing(drawing.figure, printable(drawing.caption), printable(drawing.alt))
