"""The scene of the chapter on page isolation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from mmsim import draw
from mmsim.draw.snapshot import Snapshot
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.telling import Setting, Telling, Told, View

AROUND = ("addr:40M", "addr:56M")
WANTED = ("addr:44M", "addr:48M")
PLACED = {"lru": 300, "lru_pinned": 24, "slab": 24}  # pages


def taking() -> Lab:
    """4 MiB are to be taken: what lies in their second pageblock, and which zone it is, decides how that ends."""
    what = {"a program's pages": "lru", "nothing": "", "pinned pages": "lru_pinned", "kernel data": "slab"}
    zones = {"ZONE_NORMAL": "Normal", "ZONE_MOVABLE": "Movable"}
    controls = [Choice("what", "In the second pageblock", what), Choice("zone", "Zone", zones)]
    return Lab("4 MiB in a row, please", Taking(), controls)


class Taking:
    """alloc_contig_range() on a machine of one zone, seen whenever a label or a page has changed."""

    def tell(self, setting: Setting) -> Told:
        """How it goes on a fresh machine."""
        zone, what = setting.values["zone"], setting.values["what"]
        machine = Machine(setting.patches, "128M", zone_of=[("addr:0", "addr:128M", zone)])
        machine.place(AROUND[0], "lru", 256)
        if what:
            machine.place("addr:46M", what, PLACED[what])
        ends: list[Result] = []
        film = draw.film(
            machine, lambda: ends.append(machine.attempt("alloc_contig", *WANTED)),
            "isolate", "drain", "migrate", first=0,
        )  # fmt: skip
        shots = list(changes(film))
        says = ["4 MiB are wanted, from 44 to 48 MiB.", *map(moment, shots[1:-1]), last(shots, ends[0])]
        return Told([Telling(len(shots), lambda step: view(shots, step, says[step], ends[0]))])


def changes(shots: Sequence[Snapshot]) -> Iterator[Snapshot]:
    """The snapshots in which a label or a page isn't as it was in the one before."""
    yield shots[0]
    for was, shot in pairwise(shots):
        if shot.moves or types(was) != types(shot) or sorts(was) != sorts(shot):
            yield shot


def types(shot: Snapshot) -> list[str]:
    """The labels of all pageblocks."""
    return [name for block in shot.blocks for name in block.types]


def sorts(shot: Snapshot) -> list[tuple[int, str]]:
    """Which kinds of pages there are, and where each run begins; what has moved away is free."""
    runs = [run for block in shot.blocks for run in block.runs]
    kinds = [(run.start, run.kind.replace("g", "f")) for run in runs]
    return [here for index, here in enumerate(kinds) if not index or kinds[index - 1][1] != here[1]]


def isolated(shot: Snapshot) -> int:
    """How many pageblocks are isolated."""
    return types(shot).count("Isolate")


def moment(shot: Snapshot) -> str:
    """What has just happened, while the range is being taken."""
    if moved := sum(move.pages for move in shot.moves):
        return f"{moved} pages have been migrated out of the range."
    if isolated(shot) == 1:
        return "The first pageblock is isolated."
    return "Both are isolated, and what is in them is where it was."


def last(shots: Sequence[Snapshot], end: Result) -> str:
    """How it ended, and at which step that was decided."""
    if end.errno == "0":
        return "All of it was free and is taken; the labels are Movable again."
    if isolated(shots[-2]) == 1:
        return "-EBUSY: the second can't be isolated, and the first is given back."
    return "-EBUSY: not all of it became free, and both are given back."


def view(shots: Sequence[Snapshot], step: int, says: str, end: Result) -> View:
    """The pageblocks around the range, and at the end what the kernel has logged."""
    after = [draw.log(end)] if step == len(shots) - 1 else []
    return View(draw.strip(shots[step], within=AROUND, unit="pageblock", title="Around the 4 MiB"), says, after)
