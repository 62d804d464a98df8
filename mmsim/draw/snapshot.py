"""What a strip shows of a machine at one moment: small, comparable, and picklable."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mmsim.draw.moves import Move, net
from mmsim.machine.machine import Machine
from mmsim.machine.pages import Allocation
from mmsim.machine.sizes import pfn
from mmsim.mm.kernel import Kernel
from mmsim.mm.memmap import KINDS, REFS
from mmsim.mm.mmzone import (
    MEMORY_BLOCK_SIZE,
    PAGE_SIZE,
    PAGES_PER_SECTION,
    SECTION_SHIFT,
    ZONE_NORMAL,
    migratetype_names,
)
from mmsim.mm.owners import Owner
from mmsim.mm.page_isolation import MEMORY_OFFLINE, unmovable_codes
from mmsim.mm.zones import zones_of
from mmsim.series import BASE

HOLE, OFFLINE, FREE, USED, TAKEN, RESERVED, POISONED, KERNEL, STUCK = ".", "o", "f", "u", "t", "r", "p", "k", "x"
GHOST, GONE = "g", "G"  # free, or a hole, and what was here has moved
WORDS = {
    HOLE: "hole", GONE: "moved away (now a hole)", OFFLINE: "offline", FREE: "free", GHOST: "moved away",
    USED: "in use", TAKEN: "taken out of use", RESERVED: "reserved", POISONED: "poisoned", KERNEL: "kernel",
    STUCK: "pinned",
}  # fmt: skip
"""Kinds of pages, the least telling first: where a cell is summed up in a word, the last one in it wins."""


UNMOVABLE = unmovable_codes(BASE, ZONE_NORMAL, MEMORY_OFFLINE)


def kind_of(code: int) -> str:
    """What a page of this code is to somebody who wants to take it away."""
    page, refs = KINDS[code & ~REFS], bool(code & REFS)
    if page.name in ("absent", "hole") or (page.offline and not page.movable_ops):
        return HOLE
    if page.hwpoison:
        return POISONED
    if page.reserved:
        return RESERVED
    if page.name.startswith("isolated") or page.name == "pagevec":  # a program's, on its way
        return STUCK if refs else USED
    if page.name == "contig":
        return TAKEN
    if code in UNMOVABLE:
        return KERNEL
    if refs:
        return STUCK
    return USED if page.refcount or page.compound else FREE


LETTERS = bytes(
    ord(kind_of(code)) if code & ~REFS < len(KINDS) else 0 for code in range(256)
)

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """Pages in a row that are alike: of one kind, and of one owner ("" if nobody has a name for them)."""

    start: int  # pfn
    end: int
    kind: str
    owner: str = ""


@dataclass(frozen=True)
class Block:
    """One memory block: its pages as runs without gaps, and the migrate type of each pageblock."""

    number: int
    state: str
    zone: str
    driver: str  # the virtio-mem driver's state; "" if the block is not the device's
    plugged: int  # bytes
    runs: tuple[Run, ...]
    types: tuple[str, ...]


@dataclass(frozen=True)
class Snapshot:
    """Memory blocks in the order of their addresses, requested and plugged size in bytes, and what has moved.

    nr_subblock: pages of a subblock (of 4 MiB where no driver has any). asked: the blocks that were asked for; others
    are summed up. moves: from `since` to `mark`, both numbers of events of the trace. managed: bytes of each zone that
    can be hotplugged.
    """

    blocks: tuple[Block, ...]
    asked: tuple[int, ...]
    nr_subblock: int
    requested: int | None
    plugged: int | None
    moves: tuple[Move, ...]
    migrated: int  # pages, each as often as it was moved
    since: int
    mark: int
    managed: tuple[tuple[str, int], ...]


Place = int | str | None


def snapshot(
    machine: Machine, first: Place = None, last: Place = None, since: Snapshot | int | None = None
) -> Snapshot:
    """What is to be drawn of a machine now.

    first, last: memory blocks (`32` or "block:32"), both included; without them those of the virtio-mem device as
    far as it can plug now, and boot memory summed up; without a device boot memory, if it is but a few blocks.
    since: an earlier snapshot or `len(machine.trace)` then; what was migrated from there on is shown.

    Raises ValueError for a block that can't be.
    """
    k, mark = machine.kernel, len(machine.trace)
    start = mark if since is None else since if isinstance(since, int) else since.mark
    events = [event.data for event in machine.trace.since(start, "migrate")]
    triples = [data for data in events if isinstance(data, tuple)]
    moves = tuple(net(triples, lambda page: owner_of(k, page)))
    asked = chosen(machine, first, last)
    others = set(k.memory_blocks) if first is last is None else {move.target >> SECTION_SHIFT for move in moves}
    blocks = tuple(block_of(machine, number, moves) for number in sorted({*asked, *others}))
    requested, plugged = (device.requested_size, device.size) if (device := machine.device) else (None, None)
    zones = tuple((z.name, z.managed_pages * PAGE_SIZE) for z in k.zones[ZONE_NORMAL:] if z.populated)
    subblock = MEMORY_BLOCK_SIZE // 32 if machine.driver is None else machine.driver.subblock_size
    return Snapshot(
        blocks, tuple(asked), subblock // PAGE_SIZE, requested, plugged, moves, sum(nr for _, _, nr in triples),
        start, mark, zones,
    )  # fmt: skip


FEW = 3  # blocks of a machine without a device, which are drawn one by one


def chosen(machine: Machine, first: Place, last: Place) -> list[int]:
    """Numbers of the blocks to be shown one by one."""
    blocks, driver = machine.kernel.memory_blocks, machine.driver
    if first is None and last is None:
        if driver is None:
            return sorted(blocks) if len(blocks) <= FEW else []
        end = max(driver.next_mb_id, driver.last_usable_mb_id + 1, driver.first_mb_id + 1)
        return list(range(driver.first_mb_id, end))
    low = 0 if first is None else number_of(first)
    high = (max(blocks, default=0) if first is None else low) if last is None else number_of(last)
    if low > high:
        raise ValueError(f"the memory blocks {low} to {high} go backwards")
    return list(range(low, high + 1))


def number_of(place: int | str) -> int:
    """The number of a memory block. Raises ValueError."""
    return place if isinstance(place, int) else pfn(place) >> SECTION_SHIFT


def block_of(machine: Machine, number: int, moves: Sequence[Move]) -> Block:
    """One memory block as it is now."""
    k, driver, block = machine.kernel, machine.driver, machine.kernel.memory_blocks.get(number)
    state = "absent" if block is None else block.state
    zone = ", ".join(z.name for z in zones_of(k, block)) if block is not None and state == "online" else ""
    section, whose = k.memmap.sections.get(number), ""
    plugged = 0 if block is None else block.ram_pages * PAGE_SIZE
    column = bytearray(section.state.translate(LETTERS) if section else b"." * PAGES_PER_SECTION)
    if driver is not None and driver.first_mb_id <= number <= driver.last_mb_id:
        there = bytes(driver.plugged_subblocks.get(number, bytes(driver.nb_sb_per_mb)))
        plugged, whose = sum(there) * driver.subblock_size, driver.mb_state.get(number, "UNUSED")
        if state not in ("online", "going-offline"):
            column[:] = b"".join((b"o" if one else b".") * (PAGES_PER_SECTION // len(there)) for one in there)
    elif section is not None and not section.online:
        column[:] = b"o" * PAGES_PER_SECTION
    haunt(column, number, moves)
    types = section.migratetypes if section else b""
    names = tuple(migratetype_names[t] for t in types)
    return Block(number, state, zone, whose, plugged, tuple(runs_of(k, bytes(column), number, moves)), names)


def haunt(column: bytearray, number: int, moves: Iterable[Move]) -> None:
    """Mark what is free, or a hole, where something was."""
    base = number << SECTION_SHIFT
    for move in moves:
        low, high = max(move.source - base, 0), min(move.source + move.pages - base, PAGES_PER_SECTION)
        if low < high:
            column[low:high] = column[low:high].translate(HAUNTED)


HAUNTED = bytes.maketrans(b"f.", b"gG")


def runs_of(k: Kernel, column: bytes, number: int, moves: Iterable[Move]) -> Iterator[Run]:
    """A block's pages as runs of one kind and one owner; what has moved away keeps the name of who owns it."""
    base = number << SECTION_SHIFT
    ghosts = [(move.source, move.source + move.pages, move.owner) for move in moves]
    owned = [(low, high, named(owner)) for low, high, owner in k.memmap.owned(base, base + PAGES_PER_SECTION)]
    for found in re.finditer(rb"(.)\1*", column, re.DOTALL):
        start, end, kind = found.start() + base, found.end() + base, chr(found[1][0])
        whose = ghosts if kind in (GHOST, GONE) else owned
        inside = [(max(low, start), min(high, end), name) for low, high, name in whose if low < end and high > start]
        for low, high, name in inside:
            if start < low:
                yield Run(start, low, kind)
            yield Run(low, high, kind, name)
            start = high
        if start < end:
            yield Run(start, end, kind)


def owner_of(k: Kernel, page: int) -> str:
    """The name under which a page is held."""
    return next((named(owner) for _, _, owner in k.memmap.owned(page, page + 1)), "")


def named(owner: Owner) -> str:
    """The name of who holds pages, if there is one."""
    return owner.name or "" if isinstance(owner, Allocation) else ""


def film(
    machine: Machine, action: Callable[[], object], *kinds: str, first: Place = None, last: Place = None
) -> list[Snapshot]:
    """Snapshots of what an action does: before it, after events of these kinds (if one follows another of its own
    kind, then after the last; to undo an isolation is another kind), and after it. Each shows what has moved since
    the one before it."""
    shots, seen = [snapshot(machine, first, last)], list[tuple[str, bool]]()

    def hear(kind: str, text: str, data: object) -> None:
        if kind in kinds:
            this = kind, "no longer" in text
            again = bool(seen) and seen[-1] == this
            shots[len(shots) - again :] = [snapshot(machine, first, last, shots[-2 if again else -1])]
            seen.append(this)

    hearing(machine, action, hear)
    return [*shots, snapshot(machine, first, last, shots[-1])]


def hearing(machine: Machine, action: Callable[[], T], hear: Callable[[str, str, object], None]) -> T:
    """Carry out an action, and tell of each event in it, as soon as it has happened; returns what the action does."""
    emit = machine.trace.emit

    def watch(kind: str, text: str, data: object = None) -> None:
        emit(kind, text, data)
        hear(kind, text, data)

    machine.trace.emit = watch  # type: ignore[method-assign]
    try:
        return action()
    finally:
        del machine.trace.emit
