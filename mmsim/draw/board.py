"""Patches as cards in an order: how bad it can get at each stage on the way, and all orders of the cards as a map."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from itertools import pairwise

from mmsim.draw.figure import Document, Table, num, rect
from mmsim.draw.paint import words
from mmsim.draw.strip import NARROW, Strip, both

Order = tuple[int, ...]  # the numbers of the patches
LEVELS = ("nothing", "collide", "warn", "crash")  # how bad it can get: a stage's level is a place in here
SAID = (("–", "nothing"), ("▸◂", "EBUSY"), ("▲", "warns"), ("✗", "crash"))  # each level's sign, and what a stage says
KINDS = ("none", "ok", "warn", "bad")  # of the marks in the map
HIGH, ROOM = 28, 26  # of a level's row, and of what stands in it
CARD = 32  # height of a card


@dataclass(frozen=True)
class Stage:
    """A kernel on the way: its level, and whether a boot page in the way makes it warn; None if that isn't told."""

    level: int
    boot: bool | None = None


@dataclass(frozen=True)
class Lane:
    """An order of cards, each with its number and a word or two, and the stages before, between and after them.

    seen: the stages that are drawn, the others keep their place; here: the one that is looked at.
    """

    name: str
    cards: Sequence[tuple[int, str]]
    stages: Sequence[Stage]
    seen: Collection[int]
    here: int | None = None

    @property
    def worst(self) -> int:
        """The highest level that is seen."""
        return max(self.stages[n].level for n in self.seen)

    @property
    def boots(self) -> bool:
        """Is it told what a boot page does?"""
        return self.stages[0].boot is not None


def board(lanes: Sequence[Lane], title: str, description: str = "") -> Strip:
    """Orders one below the other. On a wide page the stages go from left to right, on a narrow one downwards."""
    content = "".join(
        f"<p><b>{escape(lane.name)}</b> {' → '.join(str(number) for number, _ in lane.cards)}</p>"
        + both(lane.name, partial(drawn, lane))
        for lane in lanes
    )
    rows = tuple(row for lane in lanes for row in told(lane))
    header = ("order", "stage", "patches", "at worst") + (("a boot page",) if lanes[0].boots else ())
    return Strip(title, description, content, Table(header, rows))


def told(lane: Lane) -> Iterator[tuple[str, ...]]:
    """The same as rows of a table."""
    for number in sorted(lane.seen):
        stage, so_far = lane.stages[number], sorted(n for n, _ in lane.cards[:number])
        names = ", ".join(map(str, so_far)) or "none"
        yield (lane.name, str(number), names, " ".join(SAID[stage.level]), *([boot_word(stage)] if lane.boots else []))


def boot_word(stage: Stage) -> str:
    """What comes of a boot page in the way."""
    return "" if stage.boot is None else "▲ warns" if stage.boot else "– quiet"


# -- drawn -------------------------------------------------------------------------------------------------


def drawn(lane: Lane, width: float) -> tuple[list[str], float]:
    """An order for a page of this width."""
    return downwards(lane) if width == NARROW else across(lane)


def across(lane: Lane) -> tuple[list[str], float]:
    """The stages from left to right, the cards between them below."""
    left, step = 76.0, 112.0
    cards, bottom = 4 * HIGH + 12.0, 4 * HIGH + 12.0 + CARD
    parts = list(bands(lambda level: rect(left, (3 - level) * HIGH, 640 - left, HIGH, f"band-{LEVELS[level]}")))
    parts += [words(left - 8, (3 - n) * HIGH + 19, name, "end") for n, name in enumerate(LEVELS)]
    at = [(left + step * (n + 0.5), (3 - stage.level + 0.5) * HIGH) for n, stage in enumerate(lane.stages)]
    for n in steps(lane):
        (x, y), (x2, y2) = at[n], at[n + 1]
        parts.append(line(f"M{num(x + 42)} {num(y)}H{num((x + x2) / 2)}V{num(y2)}H{num(x2 - 42)}"))
    for n, (number, word) in enumerate(lane.cards):
        parts += card(number, word, left + step * (n + 1) - 53, cards, 106)
    if lane.boots:
        parts += [words(left - 8, bottom + 20, "a boot", "end"), words(left - 8, bottom + 35, "page", "end")]
    for n, (x, y) in enumerate(at):
        if n in lane.seen:
            parts += stop(lane, n, x, y, 84, " ".join(SAID[lane.stages[n].level]))
            parts += boot(lane.stages[n], x - 40, bottom + 12, 80, boot_word(lane.stages[n]))
        else:
            parts.append(unseen(x, 3.5 * HIGH))
    return parts, bottom + (12 + ROOM if lane.boots else 0) + 2


def downwards(lane: Lane) -> tuple[list[str], float]:
    """The stages downwards, a card between each two of them; the levels are columns."""
    edges, high, top = (0.0, 54.0, 104.0, 148.0, 192.0), HIGH + CARD + 8.0, 38.0
    middles = [(left + right) / 2 for left, right in pairwise(edges)]
    height = top + high * len(lane.cards) + HIGH
    parts = list(bands(lambda level: rect(edges[level], 0, edges[level + 1] - edges[level], height,
                                          f"band-{LEVELS[level]}")))  # fmt: skip
    parts += [words(x, 16, name, "mid") for x, name in zip(middles, LEVELS, strict=True)]
    if lane.boots:
        parts += [words(227, 16, "a boot", "mid"), words(227, 31, "page", "mid")]
    at = [(middles[stage.level], top + high * n + HIGH / 2) for n, stage in enumerate(lane.stages)]
    for n in steps(lane):
        (x, y), (x2, y2) = at[n], at[n + 1]
        parts.append(line(f"M{num(x)} {num(y + 12)}V{num((y + y2) / 2)}H{num(x2)}V{num(y2 - 12)}"))
    for n, (number, word) in enumerate(lane.cards):
        parts += card(number, word, 2, top + high * n + HIGH + 4, 188)
    for n, (x, y) in enumerate(at):
        if n in lane.seen:
            parts += stop(lane, n, x, y, 38, SAID[lane.stages[n].level][0])
            parts += boot(lane.stages[n], 200, y - ROOM / 2, 55, boot_word(lane.stages[n]).replace("warns", "warn"))
        else:
            parts.append(unseen(middles[0], y))
    return parts, height


def bands(draw: Callable[[int], str]) -> Iterator[str]:
    """The rows, or columns, of the levels that are bad."""
    yield from map(draw, (2, 3))


def steps(lane: Lane) -> list[int]:
    """The stages from which a line leads to the next one: both are seen."""
    return [n for n in range(len(lane.cards)) if n in lane.seen and n + 1 in lane.seen]


def line(path: str) -> str:
    """A piece of the line through the stages."""
    return f'<path d="{path}" class="mmsim-route"/>'


def card(number: int, word: str, x: float, y: float, width: float) -> Iterator[str]:
    """A patch: its number, and what it is about."""
    yield rect(x, y, width, CARD, "card card-opens" if number == 5 else "card", 5)
    yield words(x + 7, y + 21, str(number), "strong")
    yield words(x + 22, y + 21, word)


def stop(lane: Lane, number: int, x: float, y: float, width: float, text: str) -> Iterator[str]:
    """A stage of the line, and an edge around the one that is looked at."""
    level = lane.stages[number].level
    if number == lane.here:
        yield rect(x - width / 2 - 3, y - ROOM / 2 - 3, width + 6, ROOM + 6, "stop-here", 7)
    yield rect(x - width / 2, y - ROOM / 2 + 1, width, ROOM - 2, f"stop stop-{LEVELS[level]}", 5)
    yield words(x, y + 5, text, "mid strong on" if LEVELS[level] == "crash" else "mid strong")


def boot(stage: Stage, x: float, y: float, width: float, text: str) -> Iterator[str]:
    """What a boot page does at a stage."""
    if not text:
        return
    yield rect(x, y, width, ROOM - 2, f"stop stop-{'warn' if stage.boot else 'nothing'}", 5)
    yield words(x + width / 2, y + 17, text, "mid")


def unseen(x: float, y: float) -> str:
    """A stage that is still to come."""
    return f'<circle cx="{num(x)}" cy="{num(y)}" r="5" class="mmsim-stop mmsim-stop-unseen"/>'


# -- all orders ----------------------------------------------------------------------------------------------


def orders(levels: Mapping[Order, int], names: Mapping[Order, str], title: str, description: str = "") -> Document:
    """All orders of some cards by how bad they get, the harmless ones first; those with a name have an edge."""
    ranked = sorted(levels, key=lambda order: (levels[order], order))
    items = "".join(item(order, levels[order], names.get(order, "")) for order in ranked)
    rows = tuple(
        (" ".join(map(str, order)), " ".join(SAID[levels[order]]), names.get(order, "")) for order in ranked
    )
    plain = Table(("order", "at worst", ""), rows)
    return Document(title, description, f'<ol class="mmsim-orders">{items}</ol>', str(plain))


def item(order: Order, level: int, name: str) -> str:
    """One order."""
    sign, word = SAID[level]
    text = f'<b>{"&#8239;".join(map(str, order))}</b> <span>{sign} {word}</span>'
    edge = f' mmsim-named" title="{escape(name)}' if name else ""
    called = f"<i>{escape(name)}</i>" if name else ""
    return f'<li class="mmsim-mark-{KINDS[level]}{edge}">{text}{called}</li>'
