"""Places in Linux as a map: who asks whom, and which patches change what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mmsim.draw.figure import Document, prose


@dataclass(frozen=True)
class Place:
    """A place in Linux: its name, the file, a sentence about it, the numbers of the patches that change it, and what
    the chapter that prepares it is about."""

    name: str
    file: str
    sentence: str
    patches: tuple[int, ...]
    chapter: str

    @property
    def touched(self) -> str:
        """`patches 1, 3 and 4`."""
        *first, last = map(str, self.patches or ("none",))
        return f"patches {', '.join(first)} and {last}" if first else f"patch {last}" if self.patches else "no patch"


def places(levels: Sequence[Sequence[Place]], joins: Sequence[str], title: str, description: str = "") -> Document:
    """Levels from the top down; joins: how each level but the last leads to the next one."""
    pairs = list(zip(levels, [*joins, ""], strict=True))
    items = "".join(f'<li><div class="mmsim-level">{"".join(map(card, level))}</div>{join(how, len(level))}</li>'
                    for level, how in pairs)  # fmt: skip
    plain = "\n".join(line for level, how in pairs for line in lines(level, how))
    return Document(title, description, f'<ol class="mmsim-places">{items}</ol>', plain)


def card(place: Place) -> str:
    """One place."""
    badges = "".join(f'<b class="mmsim-changes">{number}</b>' for number in place.patches)
    return (
        f'<div class="mmsim-place{"" if place.patches else " mmsim-asks"}"><p>{prose(place.name)}</p>'
        f'<code translate="no">{escape(place.file)}</code><p>{prose(place.sentence)}</p>'
        f'<p class="mmsim-touched">{badges}<span>{place.touched}</span></p>'
        f"<p>Prepared by: {escape(place.chapter)}</p></div>"
    )


def join(how: str, boxes: int) -> str:
    """An arrow down from each box of a level, as far as they stand side by side, and what it means."""
    arrow = '<i aria-hidden="true">↓</i>'
    more = f'<p class="mmsim-join mmsim-too">{arrow}</p>' * (boxes - 1)
    return f'<div class="mmsim-level"><p class="mmsim-join">{arrow}{prose(how)}</p>{more}</div>' if how else ""


def lines(level: Sequence[Place], how: str) -> Iterator[str]:
    """A level as plain text."""
    for place in level:
        name, sentence = (text.replace("`", "") for text in (place.name, place.sentence))
        yield f"{name} ({place.file}): {sentence} {place.touched.capitalize()}; prepared by: {place.chapter}."
    if how:
        yield f"  ↓ {how.replace('`', '')}"
