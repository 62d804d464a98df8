"""The scenes of the chapter on patch 3: a machine that was booted with boot allocations in ZONE_MOVABLE."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from mmsim import draw
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.questions.runs import named
from mmsim.series import STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Course, Story
from mmsim.widgets.telling import Setting, Step, Told

LOWEST = {"kernelcore=1G": 8, "kernelcore=2G": 16, "movablecore=512M": 28}  # option -> first block of ZONE_MOVABLE
OFFLINING, ALLOCATING = "offlining", "alloc_contig_range()"
BOOT = {"boot_memory": "4G", "cmdline": "kernelcore=1G"}
FLAGS = {OFFLINING: ["MEMORY_OFFLINE", "REPORT_FAILURE"], ALLOCATING: []}
AT = ("block:31+10240", "block:31+11264")  # the 4 MiB in which the lowest boot allocation lies


class Booted:
    """An administrator takes the lowest, the middle and the highest block of ZONE_MOVABLE offline, one after the other.

    A block is seen when it is its turn.
    """

    def tell(self, setting: Setting) -> Told:
        """From the machine that has booted."""
        option = setting.values["option"]
        low = LOWEST[option]
        steps = [{"do": "write", "path": f"memory{n}/state", "value": "offline"} for n in (low, (low + 32) // 2, 31)]
        story = Story({"boot_memory": "4G", "cmdline": option}, steps, partial(turn, low=low))
        (telling,) = story.tell(setting).tellings
        return Told([replace(telling, start=0, paper=2)])


def turn(machine: Machine, since: int, low: int) -> draw.Figure:
    """The memory block that the last step was about, at first the lowest."""
    states = [event.data for event in machine.trace.events[since:] if event.kind == "state"]
    block = next((state[0] for state in states if isinstance(state, tuple)), low)
    return draw.strip(machine, block, block, since=since, title="A block of ZONE_MOVABLE")


def booted() -> Lab:
    """An administrator boots with an option of their choice, and then takes memory blocks offline."""
    option = Choice("option", "Booted with", {option: option for option in LOWEST})
    return Lab("4 GiB, a part of it ZONE_MOVABLE", Booted(), [option], patches=STAGES[2])


def asking(who: str, note: str = "") -> Step:
    """Who asks isolates the 4 MiB in which the lowest page in the way lies."""
    said = {"note": f"{who} isolates 4 MiB{note}"} if note else {"by": who}
    return {"do": "isolate", "start": AT[0], "end": AT[1], "flags": FLAGS[who], **said}


class Asking:
    """Somebody isolates a part of a machine booted with kernelcore=1G twice, and a boot allocation is in the way."""

    def tell(self, setting: Setting) -> Told:
        """Both tries; the first is seen first."""
        who = setting.values["who"]
        story = Story(BOOT, [asking(who, " with a boot allocation"), asking(who, ", again")], lowest)
        (telling,) = story.tell(setting).tellings
        return Told([replace(telling, start=1, paper=1)])

    def end(self, setting: Setting) -> Result:
        """How the first try ends."""
        return Story(BOOT, [asking(setting.values["who"])]).end(setting)


def lowest(machine: Machine, since: int) -> draw.Figure:
    """The 4 MiB in which the lowest page in the way lies."""
    return draw.strip(machine, within=AT, since=since, unit="page", title="What is to be isolated")


def warned() -> Lab:
    """Offlining meets a boot allocation, line by line, in the kernel with patches 1 and 2."""
    machine = Machine(STAGES[2], "4G", "kernelcore=1G")
    return Lab("Offlining, step by step", Course(machine, [named(asking(OFFLINING))]), patches=STAGES[2])


def told() -> Lab:
    """What who asks is told, in the kernel without the patch and in the one with it."""
    who = Choice("who", "Who asks", {OFFLINING: OFFLINING, ALLOCATING: ALLOCATING})
    kernels = Choice("patches", "Kernel", {"with patches 1 and 2": "1 2", "with patches 1 to 3": "1 2 3"})
    return Matrix("What does the log say?", Asking(), who, kernels, mark)


def mark(end: Result) -> draw.Mark:
    """What is in the log."""
    warns, names = ("\n".join(end.log).count(words) for words in ("WARNING", "page dumped"))
    text = ", ".join(word for word, there in (("warns", warns), ("names the page", names)) if there)
    return draw.Mark("warn" if warns else "ok" if names else "none", text or "nothing")
