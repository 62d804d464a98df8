"""The scenes of the chapter on memory blocks: bringing them online, and taking them offline again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmsim import draw
from mmsim.draw.snapshot import Snapshot
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.scenario.replay import carry_out
from mmsim.sim.log import Event
from mmsim.widgets.controls import Choice, filled
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Run, Story
from mmsim.widgets.telling import Setting, Step, Telling, Told, View

MOMENTS = ("isolate", "dump", "notify", "veto", "migrate", "test")  # of offlining, as kinds of events
LINES = 4  # of the log that are shown; they come again and again
ROUNDS = 5  # of the loop, after which the reader's patience is at an end
ZONES = {"ZONE_NORMAL": "Normal", "ZONE_MOVABLE": "Movable"}


def write(number: int, word: str) -> Step:
    """Somebody writes a word to the file `state` of a memory block."""
    return {"do": "write", "path": f"memory{number}/state", "value": word}


def added() -> Lab:
    """Two blocks of three are as if just added: a reader brings them online, has them used, and takes one offline."""
    machine = {"boot_memory": "384M", "zone_of": [["block:0", "block:3", "Normal"]]}
    story = Added(machine, [], three_blocks)
    program: Step = {"do": "allocate", "as": "program", "size": "48M", "note": "a program asks for 48 MiB"}
    events = {
        "A program takes 48 MiB": [program],
        "online_movable > memory1/state": [write(1, "online_movable")],
        "online_kernel > memory2/state": [write(2, "online_kernel")],
        "offline > memory1/state": [write(1, "offline")],
    }
    return Lab("Two new memory blocks", story, events=events)


class Added(Story):
    """A story on a machine of which memory1 and memory2 are as blocks are that have just been added."""

    def run(self, setting: Setting) -> Run:
        """The story at its beginning; its log begins there, too."""
        run = super().run(setting)
        return Run(run.steps, lambda: added_to(run.boot()), run.draw)


def added_to(machine: Machine) -> Machine:
    """The same machine, without two of its blocks."""
    for number in (1, 2):
        machine.write(f"memory{number}/state", "offline")
    return machine


def three_blocks(machine: Machine, since: int) -> draw.Figure:
    """All memory of the machine."""
    return draw.strip(machine, 0, 2, since=since, title="Three memory blocks")


# -- offlining, step by step -------------------------------------------------------------------------


def offlining(way: str = "nothing", zone: str = "Movable") -> Lab:
    """memory1 is taken offline, with something in the way or nothing."""
    return Lab("echo offline > memory1/state", Offlining(way, zone))


def endings() -> Lab:
    """How offlining ends: it depends on what is in the way, and on the zone."""
    ways = Choice("way", "In the way", {way: way for way in IN_THE_WAY})
    return Matrix("How does it end?", Offlining(), ways, Choice("zone", "Zone", ZONES), mark)


def mark(end: Result) -> draw.Mark:
    """How it ended, in a word or two."""
    kind, text = {
        "0": ("ok", "offline"), "EBUSY": ("bad", "-EBUSY"), "EPERM": ("bad", "-EPERM"), "EINTR": ("warn", "no end"),
    }[end.errno]  # fmt: skip
    return draw.Mark(kind, text)


def placed(kind: str) -> list[Step]:
    """300 pages of a kind in memory1."""
    return [{"do": "place", "pfn": "block:1+20480", "kind": kind, "count": 300}]


OBJECTION = "an objection of B"
AGREEING = [(name, None) for name in "ABC"]
OBJECTING = [("A", None), ("B", "MEM_GOING_OFFLINE"), ("C", None)]
LIVING: list[Step] = [
    {"do": "place", "pfn": "block:1+4096", "kind": "lru", "count": 4096},
    {"do": "place", "pfn": "block:1+12288", "kind": "lru", "count": 3000},
]
IN_THE_WAY: dict[str, list[Step]] = {
    "nothing": [],
    OBJECTION: [],
    "pinned pages": placed("lru_pinned"),
    "kernel data": placed("slab"),
    "no free memory elsewhere": [{"do": "place", "pfn": "block:0", "kind": "lru", "count": 32768}],
    "boot allocations": placed("reserved"),
    "pages in a pagevec": placed("pagevec"),
}


@dataclass(frozen=True)
class Offlining:
    """offline_pages() on a machine of two memory blocks, seen at each of its moments; A, B and C are notifiers.

    way: a key of IN_THE_WAY; zone: of memory1; a control may fill either.
    """

    way: str = "$way"
    zone: str = "$zone"

    def tell(self, setting: Setting) -> Told:
        """How it goes, moment by moment."""
        return Told([told(self.booted(setting))])

    def end(self, setting: Setting) -> Result:
        """How it ends."""
        return offline(self.booted(setting))

    def booted(self, setting: Setting) -> Machine:
        """A fresh machine with a program's pages in memory1, and with what is in the way."""
        way, zone = filled([self.way, self.zone], setting.values)
        machine = Machine(
            setting.patches, "256M", zone_of=[("block:0", "block:1", "Normal"), ("block:1", "block:2", zone)]
        )
        for step in [*LIVING, *IN_THE_WAY[way]]:
            carry_out(machine, step)
        for name, veto in OBJECTING if way == OBJECTION else AGREEING:
            machine.notifier(name, veto)
        return machine


def offline(machine: Machine) -> Result:
    """`offline` is written to memory1/state; a signal comes after some rounds."""
    machine.signal(ROUNDS)
    return machine.attempt("write", "memory1/state", "offline")


def told(machine: Machine) -> Telling:
    """memory1 of this machine goes offline, or doesn't: then the moment is seen first that decides it."""
    since, ends = len(machine.trace), list[Result]()
    first, *others, last = draw.film(machine, lambda: ends.append(offline(machine)), *MOMENTS, first=0, last=1)
    events = machine.trace.events
    moments = [Moment(*LOOK, first)]
    for shot in others:
        moment = Moment(*happened(events[shot.mark - 1], shot, has_moved(events[since : shot.mark])), shot)
        moments[-1:] = moments[-1].then(moment)
    start = next((step for step, moment in enumerate(moments) if moment.head == UNDONE), 1)
    moments.append(Moment(*SAYS[ends[0].errno], last))
    return Telling(len(moments), lambda step: view(machine, moments[step - 1], since), start, first=1)


@dataclass(frozen=True)
class Moment:
    """A step of offline_pages() with its number, or what follows; what has happened in it, and what it looks like."""

    head: str
    says: str
    shot: Snapshot

    def then(self, after: Moment) -> list[Moment]:
        """Both, or one if they are of the same step: it shows what has moved, if anything has."""
        if self.head != after.head:
            return [self, after]
        shot = self.shot if self.shot.moves else after.shot
        return [Moment(self.head, f"{self.says} {after.says}", replace(shot, mark=after.shot.mark))]


def view(machine: Machine, moment: Moment, since: int) -> View:
    """Both memory blocks at one moment, who has been told so far, and how the log begins."""
    mark = moment.shot.mark
    until = logged_until(machine.trace.events, mark)
    after = [draw.notices(machine, since, mark, "Who has been told")]
    if any(event.logged for event in machine.trace.events[since:until]):
        after.append(draw.log(machine, "Kernel log", since, until, LINES))
    return View(draw.strip(moment.shot, title="memory0 and memory1"), f"{moment.head}. {moment.says}", after)


def logged_until(events: Sequence[Event], mark: int) -> int:
    """The number of the event behind the lines that the log gets at a moment: those of a dumped page are to come."""
    if events[mark - 1].kind != "dump":
        return mark
    return next((number for number in range(mark, len(events)) if not events[number].logged), len(events))


def has_moved(events: Sequence[Event]) -> bool:
    """Has any page been migrated?"""
    return any(event.kind == "migrate" for event in events)


def happened(event: Event, shot: Snapshot, moved: bool) -> tuple[str, str]:
    """The step of offline_pages() or what follows, and what has just happened."""
    data: Any = event.data
    if event.kind == "isolate":
        return isolating(shot.blocks[-1].types.count("Isolate"), moved)
    if event.kind == "migrate":
        return MIGRATE, f"{sum(move.pages for move in shot.moves):,} pages have been migrated to memory0."
    if event.kind == "veto":
        return TELL, f"{data[0]} objects. Whoever comes after {data[0]} isn't asked."
    return SAYS[data[1] if event.kind == "notify" else data if event.kind == "test" else event.text]


def isolating(pageblocks: int, moved: bool) -> tuple[str, str]:
    """How far isolation has come, or that it is undone."""
    stays = "What has moved stays where it is." if moved else "Nothing had moved."
    if pageblocks == 0:
        return UNDONE, f"The pageblocks are no longer isolated. {stays}"
    if pageblocks == 64:
        return ISOLATE, "All 64 pageblocks are isolated, so nobody gets a page here any more."
    return ISOLATE, f"{pageblocks} pageblocks are isolated; the next one can't be."


ISOLATE, TELL, MIGRATE, TEST, UNDONE = "2 Isolate", "3 Tell", "4 Migrate", "5 Test", "Undone"
LOOK = "1 Look", "The word offline is written to memory1/state. All of the block is memory, and in one zone."
PATIENCE = f"It is tried again, round after round, until somebody presses Ctrl-C: here after {ROUNDS} rounds."
SAYS: dict[object, tuple[str, str]] = {
    "MEM_GOING_OFFLINE": (TELL, "MEM_GOING_OFFLINE. Who has registered is told, one after the other, and may object."),
    "MEM_CANCEL_OFFLINE": ("Cancelled", "MEM_CANCEL_OFFLINE. All are told that it isn't going to happen."),
    "MEM_OFFLINE": ("6 Leave", "MEM_OFFLINE. The allocator has lost the pages, and all are told."),
    "unmovable page": (ISOLATE, "A page there is held to be unmovable, and the log names it."),
    "isolation failed": (MIGRATE, "Nobody can move kernel data, and the log says so. The other pages can be moved."),
    "migration failure": (MIGRATE, f"What is left can't be migrated. {PATIENCE}"),
    True: (TEST, "All pages are free."),
    False: (TEST, f"Not all pages are free, and none is left that could be migrated. {PATIENCE}"),
    "0": ("The end", "0: memory1 is offline, and its pages have left the zone."),
    "EBUSY": ("The end", "-EBUSY, at once. memory1 is online as before, and nobody was told."),
    "EINTR": ("The end", "-EINTR. The signal has stopped it, and memory1 is online again."),
    "EPERM": ("The end", "-EPERM. Who objected gave no reason. memory1 is online again."),
}
