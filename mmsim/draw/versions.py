"""The versions of a series from top to bottom: what changed in each, and lines from a patch's old place to its new."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from mmsim.draw.figure import Table, num, prose, rect
from mmsim.draw.paint import words
from mmsim.draw.strip import NARROW, Strip, both

Names = Mapping[str, str]
CARD, BETWEEN = 40.0, 44.0  # height of a card, and of the lines between two rows of them
NEW = "new"


@dataclass(frozen=True)
class Version:
    """A version: its name and date, the patches in its order (none if that is the one before), and what changed."""

    name: str
    date: str
    order: tuple[str, ...]
    says: Sequence[str]


def versions(history: Sequence[Version], names: Names, title: str, description: str = "") -> Strip:
    """Versions as a list; where the order changes, the patches move. names: a word or two for each patch."""
    items, rows = [], []
    before: tuple[str, ...] = ()
    for version in history:
        draw = partial(drawn, before, version.order, names)
        items.append(item(version, both(f"The order of {version.name}", draw) if version.order else ""))
        before = version.order or before
        rows.append((version.name, version.date, " ".join(before), re.sub("[*`]", "", " ".join(version.says))))
    table = Table(("version", "date", "order", "what changed"), tuple(rows))
    return Strip(title, description, f'<ol class="mmsim-versions">{"".join(items)}</ol>', table)


def item(version: Version, drawing: str) -> str:
    """One version of the list."""
    said = "".join(f"<p>{prose(text)}</p>" for text in version.says)
    return f"<li><p><b>{escape(version.name)}</b> {escape(version.date)}</p>{drawing}{said}</li>"


def drawn(old: Sequence[str], new: Sequence[str], names: Names, width: float) -> tuple[list[str], float]:
    """The cards of an order, below those of the order before if there was one."""
    lower = CARD + BETWEEN if old else 0.0
    parts = [*lines(old, new, width), *cards(old, names, width, 0)] if old else []
    return [*parts, *cards(new, names, width, lower)], lower + CARD + 2


def place(order: Sequence[str], patch: str, width: float) -> float:
    """The middle of a patch's card."""
    return (order.index(patch) + 0.5) * width / len(order)


def lines(old: Sequence[str], new: Sequence[str], width: float) -> Iterator[str]:
    """From each patch's old place to its new one; a cross where one was dropped."""
    for patch in old:
        x = place(old, patch, width)
        if patch not in new:
            yield words(x, CARD + 20, "✗", "mid strong")
            continue
        end, middle, below = place(new, patch, width), num(CARD + BETWEEN / 2), num(CARD + BETWEEN)
        curve = f"M{num(x)} {num(CARD)}C{num(x)} {middle} {num(end)} {middle} {num(end)} {below}"
        if old.index(patch) != new.index(patch):
            yield f'<path d="{curve}m-6 -9l6 9l6 -9" class="mmsim-route"/>'  # an arrow
        else:
            yield f'<path d="{curve}" class="mmsim-route mmsim-route-stays"/>'
    for patch in new:
        if patch not in old:
            yield words(place(new, patch, width), CARD + BETWEEN - 8, NEW, "mid")


def cards(order: Sequence[str], names: Names, width: float, y: float) -> Iterator[str]:
    """The patches side by side; on a narrow page with their numbers alone."""
    wide = width / len(order) - 4
    for patch in order:
        x = place(order, patch, width)
        yield rect(x - wide / 2, y + 1, wide, CARD - 2, "card", 5)
        yield words(x, y + (25 if width == NARROW else 17), patch, "mid strong")
        yield "" if width == NARROW else words(x, y + 33, names[patch], "mid")
