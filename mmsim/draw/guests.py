"""Guests side by side: what each has of its own, what was plugged, and what the host can get back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

from mmsim.draw.arrows import GUTTER
from mmsim.draw.cells import Segment, cut
from mmsim.draw.figure import Table, size
from mmsim.draw.rows import beside, stacked
from mmsim.draw.snapshot import Snapshot
from mmsim.draw.strip import NARROW, Strip, both, draw_strip, key
from mmsim.draw.told import table_of
from mmsim.mm.mmzone import PAGES_PER_SECTION


@dataclass(frozen=True)
class Guest:
    """A guest: its name, a sentence about it, the blocks of its own memory and of what was plugged.

    movable: was what was plugged onlined to ZONE_MOVABLE?
    """

    name: str
    shot: Snapshot
    sentence: str
    movable: bool
    own: int = 0
    added: int = 32

    @property
    def stays(self) -> int:
        """Bytes that are plugged."""
        return self.shot.plugged or 0


def guests(some: Sequence[Guest], done: bool, title: str, description: str = "") -> Strip:
    """Guests one below the other, each with its own memory beside a block that was plugged.

    done: the host has asked for all of it, so say what stays.
    """
    parts = [sides(guest) for guest in some]
    drawn = [draw_guest(guest, part, done) for guest, part in zip(some, parts, strict=True)]
    rows = [
        (guest.name, size(guest.stays), *row)
        for guest, part in zip(some, parts, strict=True) for row in table_of(guest.shot, part).rows
    ]  # fmt: skip
    header = ("guest", "stays" if done else "plugged", *table_of(some[0].shot, parts[0]).header)
    said = " ".join(f"{g.name}: {stay(g) if done else plugged(g)}." for g in some)
    content = "".join(drawn) + key([segment for part in parts for segment in part])
    return Strip(title, description or said, content, Table(header, tuple(rows)))


def sides(guest: Guest) -> list[Segment]:
    """The guest's own memory, in pieces of 8 MiB, and the block that was plugged, in subblocks."""
    by_number = {block.number: block for block in guest.shot.blocks}
    own, added = by_number[guest.own], by_number[guest.added]
    return [
        Segment((own,), "subblock", tuple(cut(own, PAGES_PER_SECTION // 16)), "its own memory"),
        Segment((added,), "subblock", tuple(cut(added, guest.shot.nr_subblock)), "the plugged block"),
    ]


def draw_guest(guest: Guest, parts: Sequence[Segment], done: bool) -> str:
    """A guest's name, what stays of the block, its memory, and the sentence."""
    style = "movable" if guest.movable else "kernel"
    much = ("some" if guest.stays else "none") if done else "all"
    said = stay(guest) if done else plugged(guest)
    head = f'<p><b>{escape(guest.name)}</b><span class="mmsim-stay mmsim-{much}">{said}</span></p>'
    shot = replace(guest.shot, requested=None)

    def draw(width: float) -> tuple[list[str], float]:
        bands = beside(parts, width - 1.5) if width > NARROW else stacked(parts, width - GUTTER - 1.5)
        return draw_strip(shot, bands, width)

    sentence = f"<p>{escape(guest.sentence)}</p>" if guest.sentence else ""
    return f'<div class="mmsim-guest mmsim-in-{style}">{head}{both(guest.name, draw)}{sentence}</div>'


def stay(guest: Guest) -> str:
    """`12 MiB stay`."""
    return f"{size(guest.stays)} stay"


def plugged(guest: Guest) -> str:
    """`128 MiB plugged`."""
    return f"{size(guest.stays)} plugged"
