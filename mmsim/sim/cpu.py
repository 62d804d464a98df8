"""CPUs: tasks, locks, preemption points, and running one kernel path alone.

A kernel path that can sleep or be raced is a coroutine; each of its `await`s on one of the points below is
a place where another CPU may run. What happens between two points is one *step* and is atomic. There is no
event loop and there are no threads. `explore` drives several paths at once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Hashable
from dataclasses import dataclass
from typing import Any, Protocol

from mmsim.sim.log import Trace

Path = Coroutine["Point", None, Any]
Footprint = dict[Hashable, bool]
"""What a step touched: key of shared state -> True if exclusively ("writes"), False if shared ("reads")."""

ENDLESS = "ENDLESS"
ROUNDS_WITHOUT_PROGRESS = 16  # the step budget of a loop that only a signal ends


class Point:
    """A preemption point: the task holds no spin lock and is not blocked."""

    def __await__(self) -> Generator[Point, None, None]:
        yield self


class Round(Point):
    """The end of one round of a retry loop. `progress` tells if the round changed anything."""

    def __init__(self, progress: bool) -> None:
        self.progress = progress


PREEMPT = Point()
IDLE = Point()  # a worker thread that has nothing to do


def preempt() -> Awaitable[None]:
    """Another CPU may run here."""
    return PREEMPT


class Mutex(Point):
    """A sleeping lock: who finds it taken is blocked until it is given back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.owner: Task | None = None

    async def lock(self, task: Task) -> None:
        """Take the lock for `task`; sleeps while another task has it."""
        task.writes(("mutex", self.name))  # it matters who comes first
        await self  # resumed only when the mutex is free
        assert self.owner is None, f"{self.name} is taken"
        self.owner = task
        task.writes(("mutex", self.name))

    def unlock(self) -> None:
        """Give the lock back."""
        assert self.owner is not None, f"{self.name} is not taken"
        self.owner.writes(("mutex", self.name))
        self.owner = None


class SpinLock:
    """A spinning lock: who holds it must not sleep, so nobody else ever sees it taken."""

    def __init__(self) -> None:
        self.held = False

    def lock(self) -> None:
        """Take the lock."""
        assert not self.held, "a spin lock was taken twice, or held where others may run"
        self.held = True

    def unlock(self) -> None:
        """Give the lock back."""
        assert self.held, "a spin lock was given back that nobody has"
        self.held = False

    __enter__ = lock

    def __exit__(self, *exception: object) -> None:
        self.unlock()


def nothing_comes(rounds: int) -> bool:
    """Called after each round of a retry loop, when nothing happens from outside."""
    return False


@dataclass(eq=False, slots=True)
class Task:
    """One kernel path on a CPU of its own (`current` while it runs)."""

    name: str
    cpu: int = 0
    path: Path | None = None
    point: Point = PREEMPT
    footprint: Footprint | None = None  # None: nobody wants to know
    signal_pending: bool = False
    endless: bool = False
    alone: bool = False  # nothing happens between two of its steps, and nobody counts its rounds
    stalled: Footprint | None = None
    done: bool = False
    result: object = None
    each_round: Callable[[int], bool] = nothing_comes

    def begins_rounds(self) -> None:
        """The path has come to where its rounds are counted from."""
        self.each_round(0)

    def writes(self, *keys: Hashable) -> None:
        """This step changes, or must see unchanged, these pieces of shared state."""
        if self.footprint is not None:
            for key in keys:
                self.footprint[key] = True

    def reads(self, *keys: Hashable) -> None:
        """This step only reads these, or changes them in a way that commutes (a counter)."""
        if self.footprint is not None:
            for key in keys:
                self.footprint.setdefault(key, False)

    @property
    def runnable(self) -> bool:
        """Can it take a step now? Not if done, idle, blocked on a lock, or looping without progress."""
        if self.done or self.stalled is not None or self.point is IDLE:
            return False
        return not (isinstance(self.point, Mutex) and self.point.owner is not None)

    def step(self) -> Point | None:
        """Run to the next point, which is returned; None when the path has returned."""
        assert self.path is not None
        try:
            self.point = self.path.send(None)
            return self.point
        except StopIteration as stop:
            self.result = stop.value
        except OSError as error:
            self.result = error
        self.done = True
        return None


class System(Protocol):
    """What this module needs to know of a machine."""

    current: Task
    trace: Trace

    def kworker(self) -> Path:
        """The kernel's worker thread: runs queued work, and rests at IDLE."""

    def work_pending(self) -> bool:
        """Is any work queued?"""


def run(system: System, task: Task, each_round: Callable[[int], bool] | None = None) -> Any:
    """Drive one path alone to its end and return its result; raises what the path raises.

    `each_round`, if there is one, is called with the number of finished rounds of the path's retry loop, with 0
    when the path `begins_rounds`, and tells whether anything is still going to happen from outside. After
    `ROUNDS_WITHOUT_PROGRESS` rounds that changed nothing, and with nothing to come, the task gets a signal and is
    marked endless.
    """
    previous, futile, rounds = system.current, 0, 0
    system.current, system.trace.cpu = task, task.cpu
    task.alone = each_round is None
    task.each_round = each_round or nothing_comes
    try:
        while (point := task.step()) is not None and point is not IDLE:
            if isinstance(point, Mutex):
                assert point.owner is None, f"{task.name} waits for {point.name} for ever"
            elif isinstance(point, Round):
                rounds += 1
                futile = 0 if task.each_round(rounds) or point.progress else futile + 1
                if futile > ROUNDS_WITHOUT_PROGRESS:
                    task.endless = task.signal_pending = True
    finally:
        system.current, system.trace.cpu = previous, previous.cpu
    if isinstance(task.result, OSError):
        raise task.result
    return task.result
