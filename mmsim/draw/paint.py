"""How the cells of a strip look: the fill is what a page is, the outline what happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from mmsim.draw.cells import Cell
from mmsim.draw.figure import classes, hatch, num, rect
from mmsim.draw.snapshot import (
    FREE,
    GHOST,
    GONE,
    HOLE,
    KERNEL,
    OFFLINE,
    POISONED,
    RESERVED,
    STUCK,
    TAKEN,
    USED,
    WORDS,
    Run,
)

TALL = 32  # height of a cell
LEAST = 4  # width of the smallest part of a cell
CHAR, BOLD = 7.6, 8.7  # width of a character of a label, at most about
FILLS = {
    HOLE: "cell-hole", OFFLINE: "cell-asleep", FREE: "cell-free", USED: "cell-used", TAKEN: "cell-free",
    RESERVED: "cell-kernel-soft", POISONED: "cell-hole", KERNEL: "cell-kernel", STUCK: "cell-stuck",
}  # fmt: skip
FULL = {USED, KERNEL, STUCK}


def words(x: float, y: float, text: str, kind: str = "") -> str:
    """A line of text in a strip; y is its base line."""
    place = f'x="{num(x)}" y="{num(y)}" class="{classes(f"s {kind}".strip())}"'
    return f"<text {place}>{escape(text)}</text>" if text else ""


def parts_of(cell: Cell, width: float) -> list[tuple[Run, float]]:
    """What is drawn in a cell, from left to right, with its width: in the order of addresses, or summed up by kind
    where there is no room for so many parts."""
    runs: Sequence[Run] = cell.runs
    if len(runs) * LEAST > width:
        runs = [Run(0, nr, kind) for kind in WORDS if (nr := cell.pages[kind])]
    total = sum(run.end - run.start for run in runs)
    spare = width - LEAST * len(runs)
    return [(run, LEAST + spare * (run.end - run.start) / total) for run in runs]


def draw_cell(cell: Cell, x: float, y: float, width: float, letters: bool = False) -> Iterator[str]:
    """A cell: its parts, its edge, how often it is there, and the outline of what is isolated."""
    left = x
    for run, wide in parts_of(cell, width):
        yield draw_part(run.kind, left, y, wide)
        if letters and run.owner and wide >= 14:
            ink = "mid strong on" if run.kind in FULL else "mid strong"
            yield words(left + wide / 2, y + TALL / 2 + 5, run.owner[0].upper(), ink)
        left += wide
    yield rect(x, y, width, TALL, "cell")
    if cell.count > 1:
        yield draw_count(cell, x, y, width)
    if cell.isolated:
        yield rect(x + 1.25, y + 1.25, width - 2.5, TALL - 2.5, "cell-isolated")


def draw_count(cell: Cell, x: float, y: float, width: float) -> str:
    """The number of neighbours that a cell stands for, on a plate that can be read on all fills."""
    text = f"×{cell.count}"
    wide = min(BOLD * len(text) + 4, width)
    plate = rect(x + (width - wide) / 2, y + 7, wide, TALL - 14, "plate", 3)
    return plate + words(x + width / 2, y + TALL / 2 + 5, text, "mid strong")


def draw_part(kind: str, x: float, y: float, width: float, height: float = TALL) -> str:
    """Pages of one kind: each kind has a mark that can be told without its colour."""
    if kind in (GHOST, GONE):
        inside = rect(x + 1.5, y + 4, max(width - 3, 1), height - 8, "cell-ghost")
        return inside + (hatch(x, y, width, height, 7) if kind == GONE else "")
    return rect(x, y, width, height, FILLS[kind]) + MARKS.get(kind, nothing)(x, y, width, height)


def hatch_7(x: float, y: float, width: float, height: float) -> str:
    """The hatch of a hole."""
    return hatch(x, y, width, height, 7)


def nothing(x: float, y: float, width: float, height: float) -> str:
    """No mark."""
    return ""


def rest(x: float, y: float, width: float, height: float) -> str:
    """A dashed line: not in use by anybody yet."""
    return f'<path d="M{num(x + 2)} {num(y + height / 2)}h{num(max(width - 4, 1))}" class="mmsim-rest"/>'


def bars(x: float, y: float, width: float, height: float) -> str:
    """Lines across: the kernel's."""
    lines = "".join(f"M{num(x + 1)} {num(y + height * part)}h{num(max(width - 2, 1))}" for part in (0.3, 0.5, 0.7))
    return f'<path d="{lines}" class="mmsim-cross"/>'


def dots(x: float, y: float, width: float, height: float) -> str:
    """A row of dots: reserved."""
    path = f"M{num(x + 2)} {num(y + height / 2)}h{num(max(width - 4, 0.5))}"
    return f'<path d="{path}" class="mmsim-dots"/>'


def bang(x: float, y: float, width: float, height: float) -> str:
    """An exclamation mark: broken memory."""
    path = f"M{num(x + width / 2)} {num(y + height * 0.2)}v{num(height * 0.35)}m0 {num(height * 0.15)}v2"
    return f'<path d="{path}" class="mmsim-bang"/>'


def cross(x: float, y: float, width: float, height: float) -> str:
    """A cross: it stays where it is."""
    size = min(width, height, 12) / 2 - 1
    left, top, side = num(x + width / 2 - size), num(y + height / 2 - size), num(2 * size)
    return f'<path d="M{left} {top}l{side} {side}m0 -{side}l-{side} {side}" class="mmsim-cross"/>'


MARKS = {
    HOLE: hatch_7, TAKEN: hatch_7, OFFLINE: rest, KERNEL: bars, RESERVED: dots, POISONED: bang, STUCK: cross,
}  # fmt: skip


def swatches(kinds: Iterable[str], isolated: bool = False, scale: str = "") -> str:
    """The legend of a strip, as HTML that wraps as it needs. scale: how much memory a cell is, in words."""
    seen = set(kinds)
    items = [(draw_part(kind, 0.6, 0.6, 20.8, 12.8), word) for kind, word in WORDS.items() if kind in seen]
    if isolated:
        items.append((rect(1.5, 1.5, 19, 11, "cell-isolated"), "isolated"))
    said = f"<span>{scale}</span>" if scale else ""
    return f'<p class="mmsim-legend">{"".join(swatch(drawing, word) for drawing, word in items)}{said}</p>'


def swatch(drawing: str, word: str) -> str:
    """A small drawing and the word for it."""
    return (
        f'<span><svg viewBox="0 0 22 14" width="22" height="14" aria-hidden="true">{drawing}'
        f'{rect(0.6, 0.6, 20.8, 12.8, "cell")}</svg>{word}</span> '
    )
