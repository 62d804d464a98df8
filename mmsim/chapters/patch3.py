"""The scenes of the chapter on patch 3: a machine that was booted with boot allocations in ZONE_MOVABLE."""

from __future__ import annotations

from mmsim import draw
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.questions.runs import named
from mmsim.scenario.replay import carry_out
from mmsim.series import STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Course, Story
from mmsim.widgets.telling import Setting, Step, Told

OPTIONS = {option: option for option in ("kernelcore=1G", "kernelcore=2G", "movablecore=512M")}
BLOCKS = {f"memory{number}": str(number) for number in (28, 29, 30, 31)}
OFFLINING, ALLOCATING = "offlining", "alloc_contig_range()"
FLAGS = {OFFLINING: ["MEMORY_OFFLINE", "REPORT_FAILURE"], ALLOCATING: []}


def booted() -> Lab:
    """An administrator boots with an option of their choice, and then takes a memory block offline."""
    write: Step = {"do": "write", "path": "memory$block/state", "value": "offline"}
    story = Story({"boot_memory": "4G", "cmdline": "$option"}, [write], top_blocks)
    controls = [Choice("option", "Booted with", OPTIONS), Choice("block", "offline goes to", BLOCKS)]
    return Lab("4 GiB, most of it ZONE_MOVABLE", story, controls, patches=STAGES[2])


def top_blocks(machine: Machine, since: int) -> draw.Figure:
    """The four memory blocks at the top of 4 GiB."""
    return draw.strip(machine, 28, 31, since=since, title="The last 512 MiB of 4 GiB")


def asking(who: str) -> Step:
    """Who asks isolates the 4 MiB in which the lowest page in the way lies."""
    return {"do": "isolate", "by": who, "start": "block:31+10240", "end": "block:31+11264", "flags": FLAGS[who]}


class Asking:
    """Somebody isolates a part of a machine booted with kernelcore=1G, and a boot allocation is in the way."""

    def tell(self, setting: Setting) -> Told:
        """How it goes, line by line."""
        return Course(self.machine(setting), [named(asking(setting.values["who"]))]).tell(setting)

    def end(self, setting: Setting) -> Result:
        """How it ends."""
        return carry_out(self.machine(setting), asking(setting.values["who"]))

    def machine(self, setting: Setting) -> Machine:
        """A fresh machine."""
        return Machine(setting.patches, "4G", "kernelcore=1G")


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
