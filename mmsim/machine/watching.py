"""What is shown of a run is watched: the lines of a function that run, and its variables; of a race also the locks.

The search through all interleavings needs none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from mmsim.machine.machine import Machine
from mmsim.machine.races import MachineRace, Racer, starter
from mmsim.sim.cpu import Mutex, SpinLock, Task
from mmsim.sim.interleavings import Move, Outcome, outcome_of

Values = dict[str, object]


@dataclass(frozen=True)
class Watched:
    """What one move was seen to do.

    lines: numbers in the file of the function, in the order in which they ran, each with the number of the first event
    since; stands: the line at which the task waits inside the function; pfn: what the function was called for; values:
    the variables asked for, of a call that is under way or has ended in this move; returned: what such an end gave, or
    None; took: the locks taken; held: those that the task still has; waits: the one that it waits for; labels: migrate
    types, by first pfn, of the pageblocks that were isolated or given back.
    """

    move: Move
    lines: tuple[tuple[int, int], ...] = ()
    stands: int | None = None
    pfn: int | None = None
    values: Values = field(default_factory=dict)
    returned: object = None
    took: tuple[str, ...] = ()
    held: tuple[str, ...] = ()
    waits: str = ""
    done: bool = False
    labels: dict[int, int] = field(default_factory=dict)


class Lines:
    """A trace function that notes the lines of one function that run, and its variables."""

    def __init__(self, function: Callable[..., Any], variables: Sequence[str]) -> None:
        self.code, self.variables = function.__code__, variables
        self.start()

    def start(self) -> None:
        """Nothing was seen yet."""
        self.lines: list[tuple[int, Any]] = []
        self.frame: FrameType | None = None
        self.values: Values = {}
        self.returned: object = None

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        """A function is entered, or goes on after an `await`."""
        if frame.f_code is self.code:
            self.frame = frame
            return self.line
        return None

    def line(self, frame: FrameType, event: str, argument: object) -> Any:
        """A line of the function is about to run, or it is left."""
        if event == "line":
            self.lines.append((frame.f_lineno, self.note(frame)))
        elif event == "return":
            self.values, self.returned = self.values_in(frame), argument
        return self.line

    def values_in(self, frame: FrameType) -> Values:
        """The variables asked for, as they are now."""
        return {name: frame.f_locals[name] for name in self.variables if name in frame.f_locals}

    def note(self, frame: FrameType) -> Any:
        """What is noted of a line: the variables before it runs."""
        return self.values_in(frame)

    def during(self, run: Callable[[], object]) -> None:
        """Watch while something runs."""
        before = sys.gettrace()
        self.start()
        sys.settrace(self)
        try:
            run()
        finally:
            sys.settrace(before)


class Watch(Lines):
    """A trace function for the moves of a race; of a line it notes how many events there were before."""

    def __init__(self, race: MachineRace, function: Callable[..., Any], variables: Sequence[str]) -> None:
        super().__init__(function, variables)
        self.race, self.mutexes = race, dict[str, Mutex]()
        self.spin: SpinLock | None = None
        self.spinner: Task | None = None  # who has the spin lock between two moves, which nobody should

    def start(self) -> None:
        """Nothing was seen in this move yet."""
        super().start()
        self.took: dict[str, None] = {}

    def __call__(self, frame: FrameType, event: str, argument: object) -> Any:
        """A function is entered, or goes on after an `await`; it may be one that takes a lock."""
        if frame.f_code is SpinLock.lock.__code__:
            self.spin = frame.f_locals["self"]
            self.took["zone.lock"] = None
        elif frame.f_code is Mutex.unlock.__code__ or frame.f_code is Mutex.lock.__code__:
            mutex = frame.f_locals["self"]
            self.mutexes[mutex.name] = mutex
            if frame.f_code is Mutex.unlock.__code__:
                self.took[mutex.name] = None
        return super().__call__(frame, event, argument)

    def note(self, frame: FrameType) -> int:
        """How many events there were before a line."""
        return len(self.race.system.trace)

    def move(self, number: int) -> Watched:
        """Let a task take one step, and say what was seen."""
        task = self.race.everybody[number]
        self.during(lambda: self.race.step(number))
        return self.seen(task)

    def seen(self, task: Task) -> Watched:
        """What the move just made has done, and where its task is now."""
        inside = waiting(task, self.code)
        frame = inside or self.frame
        if inside is not None:
            self.values = self.values_in(inside)
        held = tuple(name for name, mutex in self.mutexes.items() if mutex.owner is task) + self.spins(task)
        point = task.point
        waits = point.name if isinstance(point, Mutex) and point.owner not in (None, task) and not task.done else ""
        return Watched(
            self.race.schedule[-1], tuple(self.lines), inside.f_lineno if inside else None,
            frame.f_locals["pfn"] if frame else None, self.values, None if inside else self.returned,
            tuple(self.took), held, waits, task.done, labels_of(self.race.machine, self.isolated()),
        )

    def spins(self, task: Task) -> tuple[str, ...]:
        """The zone's lock, if the task has it still."""
        if self.spin is None or not self.spin.held:
            self.spinner = None
        elif self.spinner is None:
            self.spinner = task
        return ("zone.lock",) if self.spinner is task else ()

    def isolated(self) -> list[int]:
        """The pageblocks that the move just made has isolated, or given back."""
        move, trace = self.race.schedule[-1], self.race.system.trace
        return [e.data for e in trace.events[move.first : move.last] if e.kind == "isolate" and isinstance(e.data, int)]


def labels_of(machine: Machine, pfns: Iterable[int]) -> dict[int, int]:
    """The migrate types of pageblocks."""
    return {pfn: machine.kernel.memmap.get_pageblock_migratetype(pfn) for pfn in sorted(pfns)}


def waiting(task: Task, code: object) -> FrameType | None:
    """The frame of a function inside which a task waits."""
    path: Any = task.path
    while path is not None and hasattr(path, "cr_frame"):
        if path.cr_code is code:
            return path.cr_frame  # type: ignore[no-any-return]
        path = path.cr_await
    return None


def order(race: MachineRace, schedule: Sequence[int]) -> Iterator[int]:
    """Who takes the steps: as the schedule says, and behind its end whoever can, the first first."""
    planned = iter(schedule)
    while able := race.runnable():
        yield next(planned, able[0])


@dataclass(frozen=True)
class Recording:
    """A run: each move, the outcome, the names of the tasks (racers first) and the zone; `labels`: pfn -> migrate type
    of the pageblocks that the race could have changed, as they were before it."""

    moves: tuple[Watched, ...]
    outcome: Outcome
    names: tuple[str, ...]
    labels: dict[int, int]
    zone: str


def record(
    machine: Machine, racers: Sequence[Racer], schedule: Sequence[int], function: Callable[..., Any],
    variables: Sequence[str],
) -> Recording:
    """Run a race on a copy of the machine along a schedule, or some paths one after the other, and watch a function.

    The function has a parameter `pfn`. Raises ValueError for a task of the schedule that can't take its step.
    """
    race = starter(machine, racers)()
    watch, moves = Watch(race, function, variables), []
    try:
        for number, task in enumerate(order(race, schedule), 1):
            if task not in race.runnable():
                raise ValueError(f"move {number}: task {task} can't take a step")
            moves.append(watch.move(task))
        outcome = outcome_of(race, None)
    finally:
        race.close()
    places = {pfn for seen in moves for pfn in (*seen.labels, *([] if seen.pfn is None else [seen.pfn]))}
    zone = machine.kernel.page_zone(min(places)).name if places else ""
    names = tuple(task.name for task in race.everybody)
    return Recording(tuple(moves), outcome, names, labels_of(machine, places), zone)
