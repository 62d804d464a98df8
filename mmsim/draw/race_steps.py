"""A run of a race as frames: who stands where, with which values, and why each step ended so."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from mmsim.draw.race import shown, steps_of
from mmsim.draw.race_facts import Facts, place, told
from mmsim.draw.race_frames import grouped, refused
from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer
from mmsim.machine.watching import Recording, Watched, record
from mmsim.mm.mmzone import MIGRATE_ISOLATE, SECTION_SHIFT, migratetype_names
from mmsim.mm.page_isolation import set_migratetype_isolate
from mmsim.series import numbered_listing
from mmsim.sim import errnos
from mmsim.sim.interleavings import Move
from mmsim.sim.log import Event

FUNCTION, VARIABLES = set_migratetype_isolate, ("ret", "unmovable")
DECISIVE = ("panic", "warn", "dump")  # events that say which line decided, the most telling first
LOUD = ("emerg", "alert", "err", "warning")
NOWHERE = "in no zone"  # instead of the migrate type of a pageblock whose block is offline


@dataclass(frozen=True)
class Actor:
    """A CPU's path at a step: its letter, what ran (indices in the listing), where it stands, and its variables.

    stands: an index in the listing, None outside of it, where `where` says it; values: name, value, set in this step?
    """

    name: str
    letter: str
    number: int
    ran: tuple[int, ...]
    stands: int | None
    where: str
    values: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class Lock:
    """A lock after a step: who has it ("" if nobody), and what was done with it."""

    name: str
    owner: str
    note: str


@dataclass(frozen=True)
class Cell:
    """Neighbouring pageblocks that are alike in every frame: first pfns, label, who isolated them."""

    first: int
    last: int
    label: str
    by: int | None
    changed: bool
    busy: bool


@dataclass(frozen=True)
class RaceStep:
    """A frame: the moves first to last (from 1) of a run of `of`, all by one actor, and what is so after them.

    done: for each frame so far the number of its actor; frames: how many there are; log: text, loud?, new?
    """

    first: int
    last: int
    of: int
    actor: int
    headline: str
    reason: str
    function: str
    listing: tuple[str, ...]
    actors: tuple[Actor, ...]
    deciding: int | None
    locks: tuple[Lock, ...]
    log: tuple[tuple[str, bool, bool], ...]
    pageblocks: tuple[Cell, ...]
    done: tuple[int, ...]
    frames: int

    @property
    def numbers(self) -> str:
        """`Step 4 of 6`: a frame is a step to a reader, however many moves it is."""
        return f"Step {self.number} of {self.frames}"

    @property
    def number(self) -> int:
        """The number of the frame, from 1."""
        return len(self.done)

    @property
    def sentence(self) -> str:
        """The step in plain text, in a sentence or two."""
        return f"{self.numbers}: {self.headline}. {self.reason}".replace("`", "")


def race_steps(machine: Machine, racers: Sequence[Racer], schedule: Sequence[int | Move] = (),
               function: Callable[..., Any] = FUNCTION, lines: Mapping[int, str] | None = None) -> list[RaceStep]:
    """The frames of a race along a schedule, at most 30; of a path alone without one. The machine stays as it is.

    schedule: who takes each step. function: whose lines are watched; lines: its listing, if it is none of the model's.
    Raises ValueError for a schedule that can't be.
    """
    order = [move.task if isinstance(move, Move) else move for move in schedule]
    names = [name for name in VARIABLES if name in function.__code__.co_varnames]
    shown = numbered_listing(function, machine.kernel.changes, ()) if lines is None else lines
    return Frames(record(machine, racers, order, function, names), shown, names).made()


def deciding_frame(steps: Sequence[RaceStep]) -> int:
    """The first frame that decides something for the worse; the last one if none does."""
    return next((index for index, step in enumerate(steps) if step.deciding is not None), len(steps) - 1)


def letters(names: Sequence[str]) -> list[str]:
    """A letter for each name: its first one behind any `the`, or the next that is not taken."""
    found: list[str] = []
    for name in (name.removeprefix("the ") for name in names):
        start = ord(name[:1].upper()) - 65 if name[:1].isalpha() and name.isascii() else 0
        found.append(next(c for i in range(26) if (c := chr(65 + (start + i) % 26)) not in found))
    return found


# -- frames ------------------------------------------------------------------------------------------


class Frames:
    """Goes through a run, and remembers what the frames need of what came before."""

    def __init__(self, run: Recording, listing: Mapping[int, str], variables: Sequence[str]) -> None:
        self.run, self.steps, self.variables = run, steps_of(run.outcome), variables
        lines = {n: text for n, text in listing.items() if not text.lstrip().startswith("#")}
        lines.pop(min(lines))  # its name says as much
        self.index = {number: index for index, number in enumerate(lines)}
        self.listing = tuple(text.removeprefix("    ") for text in lines.values())
        self.first_event = run.outcome.schedule[0].first if run.outcome.schedule else 0
        self.tasks = sorted({*range(len(run.outcome.errnos)), *(seen.move.task for seen in run.moves)})
        self.letters = dict(zip(self.tasks, letters([run.names[task] for task in self.tasks]), strict=True))
        self.owner: dict[int, int | None] = {pfn: None for pfn, kind in run.labels.items() if kind == MIGRATE_ISOLATE}
        self.labels, self.nowhere = dict(run.labels), set[int]()
        self.latest: dict[int, Watched] = {}
        self.values: dict[int, dict[str, str]] = {task: {} for task in self.tasks}
        self.called: dict[int, int] = {}
        self.mutexes = sorted({name for seen in run.moves for name in (*seen.held, *seen.took, seen.waits) if name})

    def made(self) -> list[RaceStep]:
        """All frames."""
        groups = grouped(self.run, self.steps)
        frames = [self.frame([self.run.moves[index] for index in group], group) for group in groups]
        done = tuple(frame.actor for frame in frames)
        cells = columns([frame.pageblocks for frame in frames])
        return [replace(frame, pageblocks=cell, done=done[: n + 1], frames=len(frames))
                for n, (frame, cell) in enumerate(zip(frames, cells, strict=True))]

    def frame(self, moves: Sequence[Watched], group: Sequence[int]) -> RaceStep:
        """The frame of some moves."""
        last = moves[-1]
        task = last.move.task
        events = self.run.outcome.events[moves[0].move.first : last.move.last]
        facts = self.facts(moves, events, task)
        headline, reason = told(facts)
        changed = self.isolate(moves) | self.leave(events)
        held = {name for seen in self.latest.values() for name in seen.held}
        for seen in moves:
            self.latest[seen.move.task] = seen
            if seen.pfn is not None:
                self.called[seen.move.task] = seen.pfn
        return RaceStep(
            group[0] + 1, group[-1] + 1, len(self.run.moves), task, headline, reason, FUNCTION.__name__, self.listing,
            tuple(self.actor(each, moves) for each in self.tasks), self.deciding(moves, facts), self.locks(moves, held),
            self.log(moves[0].move.first, last.move.last), self.cells(changed, last.pfn if facts.lost else None), (), 0,
        )

    def facts(self, moves: Sequence[Watched], events: tuple[Event, ...], task: int) -> Facts:
        """What the moves did, before what they changed is noted."""
        last, outcome, names = moves[-1], self.run.outcome, self.run.names
        before = outcome.events[self.first_event : moves[0].move.first]
        owner = ""
        if last.lines and last.pfn in self.owner and self.owner[last.pfn] != task:
            by = self.owner[last.pfn]
            owner = "somebody" if by is None else names[by]
        first = self.run.moves.index(moves[0])
        said = tuple(phrase for step in self.steps[first : first + len(moves)] for phrase in step.phrases)
        between = next((names[t] for t, seen in self.latest.items() if t != task and not seen.done
                        and seen.returned == 0 and seen.stands is None), "")
        had = {name for seen in self.latest.values() for name in seen.held}
        return Facts(
            names[task], events, said, last.pfn, owner, last.returned, self.left_early(last),
            self.run.zone == "Movable", any(e.kind == "warn" for e in before), between,
            outcome.errnos[task] if last.done and task < len(outcome.errnos) else None, last.waits,
            next((name for name in last.held if name not in had), ""),
            tuple(seen.pfn for seen in moves if refused(seen) and seen.pfn is not None), self.listing,
        )

    def ran(self, moves: Sequence[Watched]) -> list[int]:
        """The lines of the listing that ran, in the order in which they did."""
        return [self.index[line] for seen in moves for line, _ in seen.lines if line in self.index]

    def left_early(self, last: Watched) -> bool:
        """Did the function return from below the lock, with an error?"""
        returns = [i for i in self.ran([last]) if self.listing[i].lstrip().startswith("return")]
        return bool(returns) and self.listing[returns[-1]].startswith("    ")

    def deciding(self, moves: Sequence[Watched], facts: Facts) -> int | None:
        """The line that warned, dumped or crashed; else the `return` of what was refused."""
        for kind in DECISIVE:
            for seen in moves:
                for event in range(seen.move.first, seen.move.last):
                    if self.run.outcome.events[event].kind == kind:
                        lines = [line for line, since in seen.lines if since <= event]
                        return self.index.get(lines[-1]) if lines else None
        returns = [i for i in self.ran(moves) if self.listing[i].lstrip().startswith("return")]
        return returns[-1] if facts.busy and returns else None

    def isolate(self, moves: Sequence[Watched]) -> set[int]:
        """Note who has isolated what, and return what changed."""
        changed = set()
        for seen in moves:
            for pfn, label in seen.labels.items():
                changed.add(pfn)
                self.labels[pfn] = label
                if label == MIGRATE_ISOLATE:
                    self.owner[pfn] = seen.move.task
                else:
                    self.owner.pop(pfn, None)
        return changed

    def leave(self, events: Sequence[Event]) -> set[int]:
        """Note which pageblocks have left their zone or come to one, and return them."""
        changed = set()
        for event in events:
            if event.kind != "zone" or not isinstance(event.data, tuple):
                continue
            block, zone = event.data
            members = {pfn for pfn in self.labels if pfn >> SECTION_SHIFT == block}
            self.nowhere = self.nowhere - members if zone else self.nowhere | members
            changed |= members
        return changed

    # -- its parts ---------------------------------------------------------------------------------------

    def actor(self, task: int, moves: Sequence[Watched]) -> Actor:
        """Where a task stands, and with which values."""
        seen = self.latest.get(task)
        own = [move for move in moves if move.move.task == task]
        now: dict[str, str] = {}
        if seen is not None and (seen.stands is not None or own):
            now = {name: value(name, given) for name, given in seen.values.items()}
        before, self.values[task] = self.values[task], now
        ran = tuple(dict.fromkeys(self.ran(own)))
        values = tuple((name, now.get(name, "–"), name in now and (0 in ran or now[name] != before.get(name)))
                       for name in self.variables)
        stands = self.index.get(seen.stands) if seen is not None and seen.stands is not None else None
        return Actor(self.run.names[task], self.letters[task], task, ran, stands, self.where(task, seen), values)

    def where(self, task: int, seen: Watched | None) -> str:
        """Where a task is, in words."""
        outcome = self.run.outcome
        if seen is None:
            return "has not begun"
        if seen.stands is not None:
            return "here"
        if seen.done and outcome.panic and task == self.run.moves[-1].move.task:
            return "stopped: kernel panic"
        if seen.done:
            return f"done: {shown(outcome.errnos[task])}" if task < len(outcome.errnos) else "done"
        if seen.waits:
            return f"waits for {seen.waits}"
        if isinstance(seen.returned, int):
            return f"in its caller, with {value('ret', seen.returned)} for {place(seen.pfn or 0)}"
        return f"in its caller, past {place(self.called[task])}" if task in self.called else "on its way"

    def locks(self, moves: Sequence[Watched], held: Collection[str]) -> tuple[Lock, ...]:
        """Every lock of the run, as it is now; held: those that were held before these moves."""
        found = []
        for name in self.mutexes:
            owner = next((self.run.names[t] for t, seen in self.latest.items() if name in seen.held), "")
            users = dict.fromkeys(self.run.names[seen.move.task] for seen in moves if name in seen.took)
            did = "gave it back" if name in held else "took it and gave it back"
            note = f"{' and '.join(users)} {did}" if users and not owner else ""
            found.append(Lock(name, owner, note))
        return tuple(found)

    def log(self, new: int, end: int) -> tuple[tuple[str, bool, bool], ...]:
        """The kernel log of the race so far."""
        events = enumerate(self.run.outcome.events[:end])
        return tuple((e.text, e.data in LOUD, i >= new) for i, e in events if e.logged and i >= self.first_event)

    def cells(self, changed: set[int], busy: int | None) -> tuple[Cell, ...]:
        """Every pageblock of the run, as it is now."""
        return tuple(
            Cell(pfn, pfn, NOWHERE, None, pfn in changed, pfn == busy) if pfn in self.nowhere
            else Cell(pfn, pfn, migratetype_names[kind], self.owner.get(pfn), pfn in changed, pfn == busy)
            for pfn, kind in sorted(self.labels.items())
        )


def value(name: str, given: object) -> str:
    """A variable as a reader sees it: an errno with its name, a page as its pfn."""
    if name == "ret" and isinstance(given, int):
        return f"-{errnos.errorcode[-given]}" if given < 0 else str(given)
    return f"pfn {given:#x}" if isinstance(given, int) else str(given)


def columns(frames: Sequence[tuple[Cell, ...]]) -> list[tuple[Cell, ...]]:
    """Neighbouring pageblocks that are alike in every frame as one cell."""
    if not frames or not frames[0]:
        return [() for _ in frames]
    looks = [tuple((c.label, c.by, c.changed, c.busy) for c in column) for column in zip(*frames, strict=True)]
    runs = [list(members) for _, members in groupby(range(len(looks)), looks.__getitem__)]
    return [tuple(replace(cells[run[0]], last=cells[run[-1]].last) for run in runs) for cells in frames]
