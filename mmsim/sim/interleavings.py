"""Racing kernel paths: `Race` drives several paths by a schedule, `explore` sorts the outcomes of all schedules."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic
from typing import TypeVar

from mmsim.sim import errnos
from mmsim.sim.cpu import ENDLESS, IDLE, PREEMPT, Footprint, Path, Round, System, Task
from mmsim.sim.log import Event, KernelPanic
from mmsim.sim.schedules import dependent, schedules
from mmsim.sim.shown import Shown


class Race:
    """Several paths on one machine, each on its own CPU, with the machine's kworker beside them."""

    def __init__(self, system: System, paths: Sequence[tuple[str, Path]], cpus: int) -> None:
        self.system = system
        self.tasks = [Task(name, cpu % cpus, path) for cpu, (name, path) in enumerate(paths)]
        self.worker = Task("kworker", len(paths) % cpus, system.kworker(), point=IDLE)
        self.everybody = [*self.tasks, self.worker]
        self.first_event = len(system.trace)
        self.schedule: list[Move] = []

    def stopped(self) -> bool:
        """Has the kernel panicked?"""
        return self.system.trace.panicked is not None

    def finish(self) -> None:
        """Called once when nobody can take a step any more."""

    def close(self) -> None:
        """Drop the paths, wherever they are."""
        for task in self.everybody:
            if task.path is not None:
                task.path.close()

    def runnable(self) -> list[int]:
        """Numbers of the tasks that can take a step; the last number is the kworker's.

        When nobody can, but some loop without end, the first of these gets a signal.
        """
        if self.stopped():
            return []
        if self.worker.point is IDLE and self.system.work_pending():
            self.worker.point = PREEMPT
        able = [i for i, task in enumerate(self.everybody) if task.runnable]
        if not able:
            for i, task in enumerate(self.everybody):
                if task.stalled is not None:
                    task.endless = task.signal_pending = True
                    task.stalled = None
                    return [i]
        return able

    def step(self, number: int) -> Footprint:
        """Let this task take one step; returns what the step touched."""
        task = self.everybody[number]
        trace, mark = self.system.trace, len(self.system.trace)
        self.system.current, trace.cpu = task, task.cpu
        footprint: Footprint = {"alive": False}
        task.footprint = footprint
        try:
            task.step()
        except KernelPanic as panic:
            footprint["alive"] = True  # it stops all others, wherever they are
            task.done, task.result = True, panic
        self.schedule.append(Move(number, task.name, mark, len(trace)))
        if isinstance(task.point, Round) and not task.point.progress and not task.done:
            task.stalled = {key: how for key, how in footprint.items() if key != "log"}
        for other in self.everybody:
            if other is not task and other.stalled is not None and dependent(other.stalled, footprint):
                other.stalled = None
        return footprint

    def errnos(self) -> tuple[str | None, ...]:
        """For each task the name of its errno, `"0"`, `ENDLESS`, or None if it did not come to an end."""
        return tuple(errno_name(task) for task in self.tasks)


R = TypeVar("R", bound=Race)


def errno_name(task: Task) -> str | None:
    """The errno of a task as scenario files name it."""
    if not task.done or isinstance(task.result, KernelPanic):
        return None
    if isinstance(task.result, OSError):
        return ENDLESS if task.endless else errnos.errorcode[task.result.errno or 0]
    return "0"


@dataclass(frozen=True, slots=True)
class Move:
    """One step of a schedule: task number and name, and the range of trace events that it made."""

    task: int
    name: str
    first: int
    last: int


@dataclass(frozen=True)
class Outcome(Shown):
    """One way in which a race can end, with a shortest schedule that ends so."""

    errnos: tuple[str | None, ...]
    log: tuple[str, ...]
    panic: str | None
    observed: Hashable
    schedule: tuple[Move, ...]
    events: tuple[Event, ...]

    @property
    def length(self) -> tuple[int, int]:
        """Steps of the schedule, and how often it goes from one task to another."""
        return len(self.schedule), sum(a.task != b.task for a, b in pairwise(self.schedule))

    def __repr__(self) -> str:
        ends = ", ".join("never returns" if errno is None else errno for errno in self.errnos)
        return f"<Outcome: {ends}{'; panic' if self.panic else ''}; {len(self.schedule)} steps>"


@dataclass(frozen=True)
class Exploration(Shown):
    """What `explore` found: the distinct outcomes, and how many schedules and states it took.

    complete: were all interleavings tried? If not, there can be more outcomes.
    """

    outcomes: tuple[Outcome, ...]
    schedules: int
    states: int
    complete: bool = True

    def __str__(self) -> str:
        counts = f"outcomes: {len(self.outcomes)}, schedules: {self.schedules}, states: {self.states}"
        return counts if self.complete else f"{counts}; what else can happen is unknown, the search was ended"

    def verdict(self, text: str) -> str:
        """Can the kernel log have this text in a line? `yes`, `no`, or `unknown` if the search was ended before."""
        return "yes" if self.reaching(text) else "no" if self.complete else "unknown"

    def reaching(self, text: str) -> list[Outcome]:
        """The outcomes found whose kernel log has this text in a line; none says little if the search was ended."""
        return [o for o in self.outcomes if any(text in line for line in o.log)]

    def __repr__(self) -> str:
        return f"<Exploration: {self}>"


def explore(
    start: Callable[[], R],
    observe: Callable[[R], Hashable],
    prune: bool = True,
    limit: int | None = None,
    seconds: float | None = None,
) -> Exploration:
    """All outcomes of a race over every interleaving. Raises ValueError for a limit that allows nothing.

    start: makes the race on a fresh machine; called once a schedule.
    observe: what else tells outcomes apart, of the race at the end (errnos, log and panic always do).
    prune: leave out schedules that differ only in the order of independent steps.
    limit, seconds: end the search after so many schedules, or so much time (None: when all are tried).
    """
    if (limit is not None and limit < 1) or (seconds is not None and not seconds > 0):
        raise ValueError(f"limit {limit} and seconds {seconds} are not both more than none")
    found: dict[Hashable, Outcome] = {}
    count, states, complete, began = 0, 0, True, monotonic()

    def enough() -> bool:
        nonlocal complete
        complete = (limit is None or count < limit) and (seconds is None or monotonic() - began < seconds)
        return not complete

    for race, new in schedules(start, prune, enough):
        count, states = count + 1, states + new
        outcome = outcome_of(race, observe(race))
        key = (outcome.errnos, outcome.log, outcome.panic, outcome.observed)
        if key not in found or outcome.length < found[key].length:
            found[key] = outcome
    return Exploration(tuple(found.values()), count, states, complete)


def outcome_of(race: Race, observed: Hashable) -> Outcome:
    """How a finished race has ended."""
    trace = race.system.trace
    return Outcome(
        race.errnos(), tuple(trace.lines(race.first_event)), trace.panicked, observed,
        tuple(race.schedule), tuple(trace.events),
    )
