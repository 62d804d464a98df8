"""A matrix: what comes of each combination of two things, as a small table of marks; the bad cells are found first."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from mmsim.draw.figure import Document, Table, scrollable
from mmsim.sim.interleavings import Exploration, Outcome

SIGNS = {"ok": "✓", "warn": "▲", "bad": "✗", "none": "–"}


@dataclass(frozen=True)
class Mark:
    """What a cell says: `kind` is ok, warn, bad or none, `text` a word or two.

    way: of a race, the number of the outcome that the cell speaks of, from 0. Raises ValueError for another kind.
    """

    kind: str
    text: str
    way: int = 0

    def __post_init__(self) -> None:
        if self.kind not in SIGNS:
            raise ValueError(f"a mark is one of {', '.join(SIGNS)}, not {self.kind!r}")

    def __str__(self) -> str:
        return f"{SIGNS[self.kind]} {self.text}"


def matrix(title: str, corner: str, columns: Sequence[str], rows: Mapping[str, Sequence[Mark]]) -> Document:
    """A table of marks: corner says what the rows are, and each row has a mark for every column."""
    plain = Table((corner, *columns), tuple((name, *map(str, marks)) for name, marks in rows.items()))
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in (corner, *columns))
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>{"".join(map(cell, marks))}</tr>' for name, marks in rows.items()
    )
    content = f'<table class="mmsim-matrix"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return Document(title, "", scrollable(content, title), str(plain))


def cell(mark: Mark) -> str:
    """One cell."""
    return f'<td class="mmsim-mark-{mark.kind}">{escape(str(mark))}</td>'


def worst(found: Exploration) -> Mark:
    """The worst that can come of a race: a crash, a warning, that somebody is turned away, or that nobody loses."""
    ends: tuple[tuple[str, str, Callable[[Outcome], bool]], ...] = (
        ("bad", "can crash", lambda end: end.panic is not None),
        ("warn", "can warn", lambda end: any("WARNING" in line for line in end.log)),
        ("none", "unknown", lambda end: not found.complete),
        ("ok", "EBUSY at worst", lambda end: "EBUSY" in end.errnos),
        ("none", "nobody loses", lambda end: True),
    )
    return next(
        Mark(kind, text, way) for kind, text, holds in ends for way, end in enumerate(found.outcomes) if holds(end)
    )
