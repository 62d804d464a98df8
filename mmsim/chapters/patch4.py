"""The scenes of the chapter on patch 4: the ways through set_migratetype_isolate(), in kernels with it and without."""

from __future__ import annotations

from mmsim import draw
from mmsim.draw import Mark
from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer, race
from mmsim.machine.result import Result
from mmsim.series import STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Course
from mmsim.widgets.telling import Setting, Telling, Told, View

PAGEBLOCK = {"start": "addr:46M", "end": "addr:48M"}
CALLERS = {"offline": ["MEMORY_OFFLINE", "REPORT_FAILURE"], "worker": []}
INSIDE = {"nothing in the way": "free", "a reserved page": "reserved", "the label Isolate, by somebody": "isolated"}
FOUND = {
    "free": "all of it is free, and nobody has isolated it",
    "reserved": "one page in it is reserved",
    "isolated": "somebody has isolated it already",
}
WHO = {"offline": "Offlining", "worker": "A worker"}
WAYS = {
    "nothing in the way": "free offline",
    "too late": "isolated offline",
    "a page, reported": "reserved offline",
    "a page, not reported": "reserved worker",
}
LOSERS = {
    "offline, ZONE_NORMAL": "isolated offline Normal",
    "offline, ZONE_MOVABLE": "isolated offline Movable",
    "worker, ZONE_NORMAL": "isolated worker Normal",
    "worker, ZONE_MOVABLE": "isolated worker Movable",
}


class Ways:
    """One caller wants one pageblock. Its way is words: what is the matter with the pageblock, who comes, the zone."""

    def start(self, setting: Setting) -> tuple[Machine, str]:
        """The machine, on which the pageblock is prepared, and who comes."""
        words = [setting.values[key] for key in ("way", "caller") if key in setting.values]
        inside, caller, *zone = " ".join(words).split()
        zones = [("addr:0", "addr:128M", zone[0] if zone else "Movable")]
        machine = Machine(setting.patches, "128M", zone_of=zones)
        if inside == "isolated":
            machine.isolate(**PAGEBLOCK)
        elif inside == "reserved":
            machine.place("addr:46M+3", "reserved")
        return machine, caller

    def tell(self, setting: Setting) -> Told:
        """The way: what is so before it, and then step by step."""
        machine, caller = self.start(setting)
        way = Course(machine, [visitor(caller)]).telling()
        scene = before(machine, setting, caller)
        return Told([Telling(way.steps + 1, lambda step: way.draw(step) if step else scene, paper=way.paper)])

    def end(self, setting: Setting) -> Result:
        """What comes of it."""
        machine, caller = self.start(setting)
        return machine.attempt("isolate", **PAGEBLOCK, flags=CALLERS[caller])


def before(machine: Machine, setting: Setting, caller: str) -> View:
    """The pageblock and its neighbours before somebody comes."""
    inside = setting.values["way"].split()[0]
    within = "addr:44M", "addr:50M"
    picture = draw.strip(machine, within=within, unit="pageblock", title="Before somebody comes")
    return View(picture, f"46 MiB: {FOUND[inside]}. {WHO[caller]} wants it.")


def visitor(caller: str) -> Racer:
    """Who wants the pageblock."""
    return race("isolate", caller, **PAGEBLOCK, flags=CALLERS[caller])


def did(result: Result) -> Mark:
    """What a way has come to: the errno, and whether pages were drained, or one was dumped."""
    if result.panic:
        return Mark("bad", "crash")
    kinds = {event.kind for event in result.events}
    words = [result.errno, *(name for kind, name in (("drain", "drain"), ("dump", "dump")) if kind in kinds)]
    return Mark("ok" if result.errno == "0" else "none", ", ".join(words))


def ways_out() -> Lab:
    """Every way through the function with patches 1 to 3."""
    inside = Choice("way", "In the pageblock is", INSIDE)
    caller = Choice("caller", "It is wanted by", {"offline, which reports failures": "offline", "a worker": "worker"})
    return Lab("With patches 1 to 3", Ways(), [inside, caller], patches=STAGES[3])


def same() -> Matrix:
    """The four ways in the kernels without the patch and with it."""
    kernels = Choice("patches", "Way", {"with patches 1 to 3": "1 2 3", "with patches 1 to 4": "1 2 3 4"})
    return Matrix("What each way does", Ways(), Choice("way", "Way", WAYS), kernels, did)


def without_patch_1() -> Matrix:
    """Who is too late, in each zone, in kernels with patch 4: with patch 1 and without it."""
    kernels = Choice("patches", "Who", {"with patches 1 to 4": "1 2 3 4", "with patches 2 to 4": "2 3 4"})
    return Matrix("Too late, with patch 4", Ways(), Choice("way", "Who is too late", LOSERS), kernels, did)
