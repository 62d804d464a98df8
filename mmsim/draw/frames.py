"""Stories of several frames: the same memory, one moment below the other, on one scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape

from mmsim.draw.arrows import GUTTER
from mmsim.draw.cells import Segment, segments
from mmsim.draw.figure import Row, Table
from mmsim.draw.moves import bundles
from mmsim.draw.rows import stacked
from mmsim.draw.snapshot import Snapshot
from mmsim.draw.strip import Span, Strip, both, draw_strip, key
from mmsim.draw.told import describe, moved, table_of
from mmsim.draw.zoom import overview
from mmsim.machine.sizes import pfn
from mmsim.mm.mmzone import SECTION_SHIFT

Told = tuple[str, str]  # a frame in a word, and in a sentence


@dataclass(frozen=True)
class Reel:
    """Frames on one scale: snapshots, what is drawn of each, what is said of it, and the pages [pfn, pfn) of all."""

    shots: Sequence[Snapshot]
    told: Sequence[Told]
    span: tuple[int, int] | None
    parts: list[list[Segment]]

    def item(self, index: int, lanes: int = 0) -> str:
        """A numbered frame, with its word and its sentence."""
        word, sentence = self.told[index]
        before = self.shots[index - 1] if index else None
        draw = partial(draw_frame, self.shots[index], self.parts[index], before, gauge_scale(self.shots), lanes)
        said = f'<span class="mmsim-number">{index + 1}</span><b>{escape(word)}</b>{escape(sentence)}'
        return f'<li><p class="mmsim-say">{said}</p>{both(f"{index + 1} {word}", draw)}</li>'

    def framed(self, items: str, shot: Snapshot) -> str:
        """Frames, below them the legend of all, and above them where in a snapshot's block they lie, if all do."""
        one = self.span and self.span[0] >> SECTION_SHIFT == self.span[1] - 1 >> SECTION_SHIFT
        zoom = overview(shot, self.span) if self.span and one else ""
        return f'{zoom}<ol class="mmsim-frames">{items}</ol>{key([p for parts in self.parts for p in parts])}'


def reel(shots: Sequence[Snapshot], told: Sequence[Told], within: Span, unit: str) -> Reel:
    """Frames to be drawn. Raises ValueError if there are none, or more or fewer words than snapshots."""
    if not shots:
        raise ValueError("there are no frames to draw")
    if len(shots) != len(told):
        raise ValueError(f"{len(told)} captions for {len(shots)} frames")
    span = None if within is None else (pfn(within[0]), pfn(within[1]))
    return Reel(shots, told, span, [segments(shot, unit, span) for shot in shots])


def frames(
    shots: Sequence[Snapshot], told: Sequence[Told], within: Span = None, title: str = "", unit: str = ""
) -> Strip:
    """Snapshots as numbered frames, each with a word and a sentence; letters are the first of who holds the pages.

    within: only the pages [pfn, pfn); where they lie in their memory block is drawn above. Raises ValueError if there
    are more or fewer words than snapshots.
    """
    all_of = reel(shots, told, within, unit)
    content = all_of.framed("".join(all_of.item(index) for index in range(len(shots))), shots[0])
    return Strip(title or "Frame by frame", in_all(shots), content, whole_table(shots, all_of.parts, told))


def one_by_one(
    shots: Sequence[Snapshot], told: Sequence[Told], within: Span = None, title: str = "", unit: str = ""
) -> list[Strip]:
    """The same frames as pictures of their own, to be stepped through: what stays is in the same place in each."""
    all_of = reel(shots, told, within, unit)
    lanes = max(len(bundles(shot.moves)) for shot in shots)
    return [
        Strip(title or "Frame by frame", describe(shot), all_of.framed(all_of.item(index, lanes), shot),
              whole_table([shot], [all_of.parts[index]], [told[index]], index + 1))
        for index, shot in enumerate(shots)
    ]  # fmt: skip


def draw_frame(
    shot: Snapshot, parts: Sequence[Segment], before: Snapshot | None, scale: tuple[int, int], lanes: int, width: float
) -> tuple[list[str], float]:
    """One frame; all leave the room that an arrow from row to row needs, so that the eye can compare down.

    lanes: for so many arrows there is room above, even if there are fewer.
    """
    bands = stacked(parts, width - GUTTER - 1.5)
    for band in bands:
        band.lanes = lanes
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


def whole_table(
    shots: Sequence[Snapshot], parts: Sequence[Sequence[Segment]], told: Sequence[Told], first: int = 1
) -> Table:
    """The tables of all frames as one; `first`: the number of the first of them."""
    tables = [table_of(shot, part) for shot, part in zip(shots, parts, strict=True)]
    rows: list[Row] = []
    for number, (table, (word, _)) in enumerate(zip(tables, told, strict=True), first):
        rows += [(f"{number} {word}", *row) for row in table.rows]
    return Table(("frame", *tables[0].header), tuple(rows))
