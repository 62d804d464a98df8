"""Racing kernel paths on one machine: every interleaving, explored.

    explore(machine, race("isolate", start="addr:44M", end="addr:48M"), race("write", ...))
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmsim.machine import sysfs
from mmsim.machine.machine import Machine
from mmsim.mm.kernel import NR_CPUS
from mmsim.sim import errnos, interleavings
from mmsim.sim.cpu import Path
from mmsim.sim.interleavings import Exploration
from mmsim.sim.schedules import schedules as find_schedules


@dataclass(frozen=True)
class Racer:
    """One path to be raced: a name for the reader, and what starts it on a machine."""

    name: str
    start: Callable[[Machine], Path]


PATHS: dict[str, Callable[..., Callable[[Machine], Path]]] = {
    "isolate": lambda **keys: lambda m: m.isolate_path(**keys),
    "undo_isolate": lambda **keys: lambda m: m.undo_isolate_path(**keys),
    "alloc_contig": lambda **keys: lambda m: m.alloc_contig_path(**keys),
    "free": lambda name: lambda m: m.pages.free_path(name),
    "unpin": lambda name: lambda m: m.pages.unpin_path(name),
    "resize": lambda to: lambda m: m.resize_path(to),
    "write": lambda path, value: lambda m: sysfs.store(m.kernel, path, value),
}


def race(do: str, label: str = "", **keys: Any) -> Racer:
    """A path that can be raced: what (a method of Machine) with its arguments. Raises ValueError."""
    if do not in PATHS:
        raise ValueError(f"{do!r} can't be raced; known are {', '.join(PATHS)}")
    return Racer(label or do, PATHS[do](**keys))


async def system_call(name: str, path: Path) -> None:
    """A path whose negative result is an errno, as a system call has it."""
    result = await path
    if isinstance(result, int) and result < 0:
        raise errnos.os_error(-result, name)


class MachineRace(interleavings.Race):
    """A race on a machine of its own. Raises ValueError for what can't be asked of the machine as it is now."""

    def __init__(self, machine: Machine, racers: Sequence[Racer]) -> None:
        self.machine = machine
        machine.trace.begin_step()
        machine.kernel.memmap.record = machine.kernel.touches
        self.paths: list[Path] = []
        try:
            self.paths.extend(racer.start(machine) for racer in racers)
        except ValueError:
            self.close_paths()
            raise
        calls = [(r.name, system_call(r.name, path)) for r, path in zip(racers, self.paths, strict=True)]
        super().__init__(machine.kernel, calls, NR_CPUS)

    def finish(self) -> None:
        """What was freed reaches the buddy in the end."""
        if self.machine.trace.panicked is None:
            self.machine.pages.settle()

    def close(self) -> None:
        """Drop the paths, wherever they are, also those that have not begun."""
        super().close()
        self.close_paths()

    def close_paths(self) -> None:
        """Drop what a race has of its own: the paths themselves."""
        for path in self.paths:
            path.close()


def starter(machine: Machine, racers: Sequence[Racer]) -> Callable[[], MachineRace]:
    """What makes the race anew, each time on a copy of the machine as it is now."""
    original = pickle.dumps(machine, pickle.HIGHEST_PROTOCOL)
    return lambda: MachineRace(pickle.loads(original), racers)


def schedules(machine: Machine, *racers: Racer, prune: bool = True) -> Iterator[MachineRace]:
    """The race of these paths, finished, once for each interleaving; the machine itself stays as it is."""
    return (finished for finished, _ in find_schedules(starter(machine, racers), prune))


def explore(
    machine: Machine,
    *racers: Racer,
    observe: Callable[[Machine], Hashable] = lambda machine: None,
    prune: bool = True,
    limit: int | None = None,
    seconds: float | None = None,
) -> Exploration:
    """All outcomes of racing these paths on copies of a machine. Raises ValueError.

    observe: what tells outcomes apart, beside the errnos, the log and a panic. limit, seconds: the search ends after
    so many schedules, or so much time, even if some are left; then `complete` is False, and what was not found may
    be there all the same (see `Exploration.verdict`).
    """
    return interleavings.explore(
        starter(machine, racers), lambda finished: observe(finished.machine), prune, limit, seconds
    )
