"""What has moved between two moments: the trace's migrations put together, and tied up into bundles."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mmsim.mm.mmzone import SECTION_SHIFT

NEAR = 2048  # pages between two pieces that one bracket spans


@dataclass(frozen=True)
class Move:
    """Pages in a row that were at `source` and are at `target` now (pfns); owner: the name they are held under."""

    source: int
    target: int
    pages: int
    owner: str = ""


@dataclass(frozen=True)
class Bundle:
    """All that moved from one memory block to another: its pieces there and here, as (pfn, end pfn)."""

    sources: tuple[tuple[int, int], ...]
    targets: tuple[tuple[int, int], ...]
    pages: int


def net(events: Iterable[tuple[int, int, int]], owner: Callable[[int], str]) -> Iterator[Move]:
    """Migrations (source pfn, target pfn, pages), in their order, as moves: a page that was moved twice moved once.

    owner: who holds a page now.
    """
    origin: dict[int, int] = {}
    for source, target, pages in events:
        for index in range(pages):
            origin[target + index] = origin.pop(source + index, source + index)
    pairs = sorted((source, target) for target, source in origin.items() if source != target)
    move: Move | None = None
    for source, target in pairs:
        if move is not None and (source, target) == (move.source + move.pages, move.target + move.pages):
            move = Move(move.source, move.target, move.pages + 1, move.owner)
            continue
        if move is not None:
            yield move
        move = Move(source, target, 1, owner(target))
    if move is not None:
        yield move


def bundles(moves: Iterable[Move]) -> list[Bundle]:
    """One bundle for each pair of memory blocks."""
    found: dict[tuple[int, int], list[Move]] = {}
    for move in moves:
        found.setdefault((move.source >> SECTION_SHIFT, move.target >> SECTION_SHIFT), []).append(move)
    return [
        Bundle(
            pieces((m.source, m.source + m.pages) for m in some), pieces((m.target, m.target + m.pages) for m in some),
            sum(m.pages for m in some),
        )
        for _, some in sorted(found.items())
    ]  # fmt: skip


def pieces(spans: Iterable[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    """Spans with those that are near to each other put together."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if found and start - found[-1][1] <= NEAR:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((start, end))
    return tuple(found)
