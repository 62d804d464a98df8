"""How a memory block with holes goes offline: what becomes of one hidden page, beside an attempt that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from mmsim.draw.cells import Cell
from mmsim.draw.figure import Row, Table, hatch, num, rect
from mmsim.draw.held import Attempt, Look
from mmsim.draw.paint import draw_part, parts_of, words
from mmsim.draw.snapshot import HOLE, Run
from mmsim.draw.strip import NARROW, Strip, canvas
from mmsim.mm.mmzone import PAGES_PER_SECTION, SECTION_SHIFT

WORDS = {"online": "the block is online", "scan": "the core goes through the block"}
SAYS = {"MEM_GOING_OFFLINE": "“going”", "MEM_OFFLINE": "“gone”", "MEM_CANCEL_OFFLINE": "“cancelled”"}
HEADER = ("moment", "attempt", "references", "held by", "present", "managed", "what happens")
Edge = tuple[float, float, Run]  # from x to x, and what is drawn there
TOP, BAR, ROW = 126.0, 24.0, 22.0  # of the block: its y and height; and the distance of the two bars


@dataclass(frozen=True)
class Side:
    """One of the attempts: its name, and what was seen."""

    name: str
    attempt: Attempt


def hidden(sides: Sequence[Side], step: int, title: str) -> Strip:
    """A moment of the attempts, side by side, from 0 (before) to 3 (how it ended)."""
    cards = "".join(card(side, step) for side in sides)
    head = f'<p class="mmsim-moment"><span class="mmsim-number">{step + 1}</span>{heading(sides, step)}</p>'
    rows = tuple(row_of(side, step) for side in sides)
    return Strip(title, "", f'{head}<div class="mmsim-fork">{cards}</div>', Table(HEADER, rows))


def heading(sides: Sequence[Side], step: int) -> str:
    """The name of a moment; at the end each attempt may have its own."""
    names = dict.fromkeys(side.attempt.looks[step].moment for side in sides)
    code = {name: WORDS.get(name) or f'<code translate="no">{name}</code>' for name in names}
    return " or ".join(f"<b>{code[name]}</b>" for name in names)


def card(side: Side, step: int) -> str:
    """One attempt at a moment."""
    looks = side.attempt.looks
    drawing = canvas(f"{step + 1} {side.name}", NARROW, draw_look(side.attempt, step), TOP + 96)
    end = f'<p class="mmsim-stay mmsim-{"none" if ok(side) else "some"}">{verdict(side)}</p>' if step == 3 else ""
    way = "open" if step < 2 else "good" if ok(side) else "bad"  # nothing is decided before the core has looked
    return (
        f'<div class="mmsim-way mmsim-way-{way}"><p><b>{escape(side.name)}</b></p>{drawing}'
        f"<p>{escape(sentence(side.attempt, looks[step]))}</p>{end}</div>"
    )


def ok(side: Side) -> bool:
    """Did the block go offline?"""
    return side.attempt.end.errno == "0"


def verdict(side: Side) -> str:
    """What the administrator gets."""
    return "✓ offline: 0" if ok(side) else f"✗ offline: -{side.attempt.end.errno}"


def row_of(side: Side, step: int) -> Row:
    """A moment of an attempt as a row of the table."""
    look = side.attempt.looks[step]
    held = ["the driver"] * (look.driver > 0) + ["somebody"] * (look.others > 0)
    count = "–" if look.count is None else str(look.count)
    counters = (f"{look.present:,}", f"{look.managed:,}")
    what = sentence(side.attempt, look) + (f" {verdict(side)}" if step == 3 else "")
    return WORDS.get(look.moment, look.moment), side.name, count, " and ".join(held) or "nobody", *counters, what


def sentence(attempt: Attempt, look: Look) -> str:
    """What has just happened."""
    if look.moment == "online":
        more = " Somebody has another one." if look.others else ""
        return f"The driver's reference says: this page is mine.{more}"
    if look.moment == "MEM_GOING_OFFLINE":
        warns = " It was not the last one, so it warns." if attempt.warned else ""
        return f"The driver lets go, and counts its pages in.{warns}"
    if look.moment == "scan":
        return scan_sentence(attempt, look)
    if look.moment == "MEM_OFFLINE":
        return "The whole block leaves both sums."
    return "The driver takes hold again: all is as at first."


def scan_sentence(attempt: Attempt, look: Look) -> str:
    """What the core has met on its way through the block."""
    if look.stopped is None:
        return "It steps over the hole, and all else is free."
    if look.stopped == attempt.page:
        return "A hidden page that has a reference will never go: it gives up at once."
    return "It steps over the hole, and meets a page that doesn't move: again and again, until a signal comes."


# -- the drawing ---------------------------------------------------------------------------------------


def draw_look(attempt: Attempt, step: int) -> Iterator[str]:
    """The page, who holds it and who speaks; the block; the two sums."""
    look = attempt.looks[step]
    yield from draw_page(look)
    yield from draw_block(look)
    most = attempt.looks[0].present
    before = attempt.looks[max(step - 1, 0)]
    sums = (("present", look.present, before.present, "box"), ("managed", look.managed, before.managed, "gauge"))
    for index, (name, pages, was, kind) in enumerate(sums):
        yield from draw_sum(TOP + BAR + 30 + ROW * index, name, pages, pages - was, most, kind)


def draw_page(look: Look) -> Iterator[str]:
    """The hidden page with its count; tethers to who holds it; the core, and what it says to the driver."""
    yield words(0, 92, "references")
    gone = look.count is None
    if gone:
        yield rect(1, 20, 56, 56, "cell-ghost") + words(29, 53, "gone", "mid")
    else:
        yield rect(1, 20, 56, 56, "cell-hole") + hatch(1, 20, 56, 56, 7) + rect(1, 20, 56, 56, "cell")
        yield f'<circle cx="29" cy="48" r="17" class="mmsim-count"/>{words(29, 56, str(look.count), "mid numeral")}'
    yield rect(106, 34, 58, 28, "box", 5) + words(135, 53, "driver", "mid strong")
    yield rect(208, 34, 47, 28, "core-box", 5) + words(231.5, 53, "core", "mid strong core-ink")
    if look.driver:
        yield tether(47, 48, 106, 48) + words(81, 39, "holds", "mid")
    elif not gone:
        yield '<path d="M106 48H93" class="mmsim-tether"/><circle cx="88" cy="48" r="5" class="mmsim-let-go"/>'
        yield words(80, 36, "let go", "mid")
    if look.others:
        yield tether(43, 59, 106, 84) + rect(106, 71, 80, 26, "box", 5) + words(146, 89, "somebody", "mid strong")
    if says := SAYS.get(look.moment):
        yield words(255, 22, says, "end strong core-ink")
        yield '<path d="M206 48H176" class="mmsim-core-line"/><path d="M177 42v12L167 48z" class="mmsim-core-tip"/>'


def tether(x1: float, y1: float, x2: float, y2: float) -> str:
    """A reference that is held: a line with a knob at the page."""
    line = f'<path d="M{num(x1)} {num(y1)}L{num(x2)} {num(y2)}" class="mmsim-tether"/>'
    return f'{line}<circle cx="{num(x1)}" cy="{num(y1)}" r="5" class="mmsim-knob"/>'


def draw_block(look: Look) -> Iterator[str]:
    """The memory block; in the scan also how far the core has come."""
    base = look.block.number << SECTION_SHIFT
    cell = Cell(base, base + PAGES_PER_SECTION, look.block.runs)
    if look.block.state not in ("online", "going-offline") or look.count is None:
        yield rect(0.6, TOP, NARROW - 1.2, BAR, "cell-ghost")
        yield words(0, TOP + BAR + 17, f"memory{look.block.number}, offline")
        return
    left, edges = 0.6, list[Edge]()
    for run, wide in parts_of(cell, NARROW - 1.2):
        yield draw_part(run.kind, left, TOP, wide, BAR)
        edges.append((left, left + wide, run))
        left += wide
    isolated = look.isolated > 0
    kind = "cell-isolated" if isolated else "cell"
    yield rect(0.6 + 0.6 * isolated, TOP + 0.6 * isolated, NARROW - 1.2 - 1.2 * isolated, BAR - 1.2 * isolated, kind)
    told = f", {look.isolated} pageblocks isolated" if isolated else ", online"
    yield words(0, TOP + BAR + 17, f"memory{look.block.number}{told}")
    if look.moment == "scan":
        yield from draw_scan(look, edges)


def draw_scan(look: Look, edges: Sequence[Edge]) -> Iterator[str]:
    """The way of the core through the block: it steps over holes, to the end or to what stops it."""
    way, y = "good" if look.stopped is None else "bad", TOP - 6
    end, path = NARROW - 2, f"M1 {num(y)}"
    for left, right, run in edges:
        if look.stopped is not None and run.start <= look.stopped < run.end:
            end = left + (right - left) * (look.stopped - run.start) / (run.end - run.start)
    for left, right, run in edges:
        if left >= end:
            break
        if run.kind == HOLE and right <= end:
            path += f"H{num(left)}Q{num((left + right) / 2)} {num(y - 24)} {num(right)} {num(y)}"
            yield words((left + right) / 2, y - 17, "steps over", "mid")
        else:
            path += f"H{num(min(right, end))}"
    yield f'<path d="{path}" class="mmsim-scan mmsim-scan-{way}"/>'
    yield f'<path d="M{num(end - 6)} {num(y - 4)}h12l-6 9z" class="mmsim-tip-{way}"/>'


def draw_sum(y: float, name: str, pages: int, change: int, most: int, kind: str) -> Iterator[str]:
    """One of the zone's counters as a bar, with the number and how it has changed."""
    yield words(0, y + 12, name)
    yield rect(68, y + 1, 60, 13, "rest-of-sum") + rect(68, y + 1, 60 * pages / most, 13, kind)
    yield words(134, y + 12, f"{pages:,}", "strong" if change else "")
    yield words(255, y + 12, f"{'+' if change > 0 else '−'}{abs(change):,}", "strong end") if change else ""
