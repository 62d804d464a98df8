"""Who holds which pages of a section of the memmap."""

from __future__ import annotations

from bisect import bisect_right
from typing import Protocol


class Owner(Protocol):
    """Who holds pages, and can be followed when they are migrated."""

    name: str | None  # by which it can be found again
    sections: dict[int, int]  # section number -> pages held in it


class Owners:
    """Who holds which pages of one section: sorted runs of (start offset, end offset, owner)."""

    __slots__ = ("runs",)

    def __init__(self) -> None:
        self.runs: list[tuple[int, int, Owner]] = []

    def within(self, start: int, end: int) -> list[tuple[int, int, Owner]]:
        """The owned runs inside [start, end), clipped to it."""
        first = max(bisect_right(self.runs, start, key=lambda run: run[0]) - 1, 0)
        found = []
        for low, high, owner in self.runs[first:]:
            if low >= end:
                break
            if high > start:
                found.append((max(low, start), min(high, end), owner))
        return found

    def replace(self, start: int, end: int, owner: Owner | None) -> None:
        """Give [start, end) to `owner`, or to nobody."""
        first = max(bisect_right(self.runs, start, key=lambda run: run[0]) - 1, 0)
        last, middle = first, []
        while last < len(self.runs) and self.runs[last][0] < end:
            low, high, old = self.runs[last]
            if low < start:
                middle.append((low, min(high, start), old))
            if high > end:
                middle.append((max(low, end), high, old))
            last += 1
        if owner is not None:
            middle.append((start, end, owner))
            middle.sort(key=lambda run: run[0])
        self.runs[first:last] = middle
