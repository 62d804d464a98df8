"""The scenes of the chapter on the order of the series: trees with any of its patches, also such as never existed."""

from __future__ import annotations

from itertools import combinations

from mmsim.chapters.patch1 import ZONES, two_cpus
from mmsim.chapters.patch5 import offline_and_host
from mmsim.draw import worst
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix


def kernels(sets: list[tuple[int, ...]]) -> Choice:
    """Kernels by the patches that they have."""
    return Choice("patches", "Patches", {", ".join(map(str, s)) or "none": " ".join(map(str, s)) for s in sets})


def subsets() -> Lab:
    """The race of two isolations with each subset of the patches that change how a loser is reported."""
    sets = [chosen for size in range(4) for chosen in combinations((1, 3, 4), size)]
    return Matrix("What can be reached?", two_cpus("$zone"), kernels(sets), Choice("zone", "Zone", ZONES), worst)


def real_callers() -> Lab:
    """An administrator who offlines a memory block, and a host that wants 4 MiB of it back."""
    size = Choice("size", "Memory", {"offlining against the host": "128M"})
    sets = [(), (5,), (1, 5), (3, 5), (1, 3, 5)]
    return Matrix("With the real callers", offline_and_host("$size"), kernels(sets), size, worst)
