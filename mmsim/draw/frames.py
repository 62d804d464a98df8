"""Stories of several frames: the same memory, one moment below the other, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from html import escape

from mmsim.draw.arrows import GUTTER
from mmsim.draw.cells import Segment, segments
from mmsim.draw.figure import Row, Table
from mmsim.draw.rows import stacked
from mmsim.draw.snapshot import Snapshot
from mmsim.draw.strip import Span, Strip, both, draw_strip, key
from mmsim.draw.told import describe, moved, table_of
from mmsim.draw.zoom import overview
from mmsim.machine.sizes import pfn
from mmsim.mm.mmzone import SECTION_SHIFT

Told = tuple[str, str]  # a frame in a word, and in a sentence


def frames(
    shots: Sequence[Snapshot], told: Sequence[Told], within: Span = None, title: str = "", unit: str = ""
) -> Strip:
    """Snapshots as numbered frames, each with a word and a sentence; letters are the first of who holds the pages.

    within: only the pages [pfn, pfn); where they lie in their memory block is drawn above. Raises ValueError if there
    are more or fewer words than snapshots.
    """
    if not shots:
        raise ValueError("there are no frames to draw")
    if len(shots) != len(told):
        raise ValueError(f"{len(told)} captions for {len(shots)} frames")
    span = None if within is None else (pfn(within[0]), pfn(within[1]))
    parts = [segments(shot, unit, span) for shot in shots]
    scale = gauge_scale(shots)
    drawn = []
    for index, (shot, part, (word, sentence)) in enumerate(zip(shots, parts, told, strict=True)):
        before = shots[index - 1] if index else None
        draw = partial(draw_frame, shot, part, before, scale)
        said = f'<span class="mmsim-number">{index + 1}</span><b>{escape(word)}</b>{escape(sentence)}'
        drawn.append(f'<li><p class="mmsim-say">{said}</p>{both(f"{index + 1} {word}", draw)}</li>')
    zoom = overview(shots[0], span) if span and span[0] >> SECTION_SHIFT == span[1] - 1 >> SECTION_SHIFT else ""
    content = f'{zoom}<ol class="mmsim-frames">{"".join(drawn)}</ol>{key([p for part in parts for p in part])}'
    return Strip(title or "Frame by frame", in_all(shots), content, whole_table(shots, parts, told))


def draw_frame(
    shot: Snapshot, parts: Sequence[Segment], before: Snapshot | None, scale: tuple[int, int], width: float
) -> tuple[list[str], float]:
    """One frame; all leave the room that an arrow from row to row needs, so that the eye can compare down."""
    bands = stacked(parts, width - GUTTER - 1.5)
    if len(parts) == 1:
        bands[0].rows[0].head = ()  # it is above all frames
    return draw_strip(shot, bands, width, before, scale, letters=True)


def gauge_scale(shots: Sequence[Snapshot]) -> tuple[int, int]:
    """Where the gauges of all frames begin and end, in bytes: small changes of much are cut out."""
    sizes = [value for shot in shots for value in (shot.requested, shot.plugged) if value is not None] or [0]
    least, most = min(sizes), max(sizes)
    floor = least - 3 * (most - least)
    return (0 if floor < most // 2 else floor), most


def in_all(shots: Sequence[Snapshot]) -> str:
    """What has moved in all frames, and how it ended."""
    return " ".join([*(text for shot in shots[:-1] for text in moved(shot)), describe(shots[-1])])


def whole_table(shots: Sequence[Snapshot], parts: Sequence[Sequence[Segment]], told: Sequence[Told]) -> Table:
    """The tables of all frames as one."""
    tables = [table_of(shot, part) for shot, part in zip(shots, parts, strict=True)]
    rows: list[Row] = []
    for number, (table, (word, _)) in enumerate(zip(tables, told, strict=True), 1):
        rows += [(f"{number} {word}", *row) for row in table.rows]
    return Table(("frame", *tables[0].header), tuple(rows))
