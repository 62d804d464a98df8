"""Scenario files: carry them out on a machine and compare, step by step. The format is in `format`.

No scenario is known here: each kind of step is one method call, each kind of expectation one question.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer, race, schedules
from mmsim.machine.result import Result
from mmsim.scenario.checks import ScenarioError
from mmsim.scenario.compare import Difference, Sight, Step, compare
from mmsim.scenario.format import Scenario, load
from mmsim.sim.errnos import errorcode

DEFAULTS = {"errno": "0", "panic": False}


@dataclass(frozen=True)
class Report:
    """One file under one patch set: how many steps held, and the differences of the first that did not."""

    file: str
    patches: tuple[int, ...]
    steps: int
    differences: tuple[Difference, ...]

    def as_json(self) -> dict[str, Any]:
        """The whole comparison, for `replay --json`."""
        return {**asdict(self), "ok": not self.differences}


# -- carrying out ------------------------------------------------------------------------------------


def keys(step: Step, **renamed: str) -> Step:
    """The arguments of a step, some under the names that the machine's methods have."""
    plain = {key: value for key, value in step.items() if key not in ("do", "note", "expect", "by")}
    return {renamed.get(key, key): value for key, value in plain.items()}


METHODS: dict[str, Callable[[Step], tuple[str, Step]]] = {
    "resize": lambda s: ("resize", keys(s)),
    "write": lambda s: ("write", keys(s)),
    "read": lambda s: ("read", keys(s)),
    "wait": lambda s: ("wait", keys(s)),
    "allocate": lambda s: ("allocate", keys(s, **{"as": "name"})),
    "pin": lambda s: ("pin", keys(s, what="name")),
    "unpin": lambda s: ("unpin", keys(s, what="name")),
    "free": lambda s: ("free", keys(s, what="name")),
    "poison": lambda s: ("poison", keys(s)),
    "signal": lambda s: ("signal", keys(s)),
    "unpin_after": lambda s: ("unpin_after", keys(s, what="name")),
    "free_after": lambda s: ("free_after", keys(s, what="name")),
    "device": lambda s: ("device_busy" if "busy" in s else "device_answers", keys(s)),
    "unbind": lambda s: ("unbind", keys(s)),
    "place": lambda s: ("place", keys(s, **{"as": "name"})),
    "ref": lambda s: ("ref", keys(s)),
    "set_pageblock": lambda s: ("set_pageblock", keys(s, type="migratetype")),
    "isolate": lambda s: ("isolate", keys(s)),
    "undo_isolate": lambda s: ("undo_isolate", keys(s)),
    "has_unmovable": lambda s: ("has_unmovable", keys(s)),
    "alloc_contig": lambda s: ("alloc_contig", keys(s, **{"as": "name"})),
    "notifier": lambda s: ("notifier", keys(s)),
    "fail": lambda s: ("fail", keys(s, errno="error")),
}


def boot_machine(scenario: Scenario, patches: Iterable[int]) -> Machine:
    """The scenario's machine with a patch set."""
    return Machine(patches=frozenset(patches), **scenario.machine)


def carry_out(machine: Machine, step: Step) -> Result:
    """Do one step that is no race."""
    if step["do"] == "boot":
        number = errorcode[-machine.probe_errno] if machine.probe_errno else "0"
        return Result(number, events=tuple(machine.trace.events))
    if step["do"] != "write_each":
        method, arguments = METHODS[step["do"]](step)
        return machine.attempt(method, **arguments)
    results = []
    for path in step["paths"]:
        results.append(machine.attempt("write", path, step["value"]))
        if results[-1].panic:
            break
    errnos = [result.errno for result in results]
    events = tuple(event for result in results for event in result.events)
    wanted = step.get("expect", {}).get("errno", "0")
    if isinstance(wanted, str):  # one name for all: the first that differs, if any does
        return Result(next((e for e in errnos if e != wanted), wanted), None, results[-1].panic, events)
    return Result("0", errnos, results[-1].panic, events)


# -- races -------------------------------------------------------------------------------------------


def compare_race(machine: Machine, step: Step, path: str) -> Iterator[Difference]:
    """Run a race in every interleaving: each reachable outcome must be seen, no unreachable one may be."""
    racers = [racer(task) for task in step["tasks"]]
    wanted: list[Step] = step["expect"].get("reachable", [])
    banned: list[Step] = step["expect"].get("unreachable", [])
    unseen = set(range(len(wanted)))
    first = len(machine.trace)
    for finished in schedules(machine, *racers):
        after = finished.machine
        see = Sight(after, finished.errnos(), after.trace.panicked, after.trace.events[first:])
        unseen -= {i for i in unseen if not any(compare(wanted[i], see, ""))}
        for i, outcome in enumerate(banned):
            if not any(compare(outcome, see, "")):
                yield Difference(f"{path}.unreachable[{i}]", outcome, " ".join(move.name for move in finished.schedule))
                return
    for i in sorted(unseen):
        yield Difference(f"{path}.reachable[{i}]", wanted[i], "no interleaving ends so")


def racer(task: Step) -> Racer:
    """A task of a race."""
    return race(task["do"], **keys(task, **{"as": "name", "what": "name"}))


# -- replay ------------------------------------------------------------------------------------------


def check_step(machine: Machine, step: Step, path: str) -> tuple[Difference, ...]:
    """Carry out a step; all differences between what is expected and what is seen after it."""
    expect = step.get("expect", {})
    if step["do"] == "race":
        return tuple(compare_race(machine, step, f"{path}.expect"))
    result = carry_out(machine, step)
    errno = result.value if step["do"] == "write_each" and result.value else result.errno
    see = Sight(machine, errno, result.panic, result.events, result.value)
    wanted = {**DEFAULTS, **expect}
    if result.panic is not None and wanted["panic"]:
        wanted.pop("errno")
    return tuple(compare(wanted, see, f"{path}.expect"))


def replay(scenario: Scenario, patches: Iterable[int], file: str = "<scenario>") -> Report:
    """Carry a scenario out under one patch set, up to the first step that diverges.

    Raises ScenarioError for a step that no machine could carry out.
    """
    patches, path = tuple(sorted(patches)), "$.machine"
    try:
        machine = boot_machine(scenario, patches)
        for index, step in enumerate(scenario.steps):
            path = f"$.steps[{index}]"
            if differences := check_step(machine, step, path):
                return Report(file, patches, index, differences)
    except ScenarioError:
        raise
    except ValueError as error:
        raise ScenarioError(path, "something that can be done", str(error), file=file) from error
    return Report(file, patches, len(scenario.steps), ())


def replay_file(file: str | os.PathLike[str]) -> list[Report]:
    """Replay a file under each of its patch sets."""
    scenario = load(file)
    return [replay(scenario, patches, os.fspath(file)) for patches in scenario.patch_sets]


def trace(scenario: Scenario, patches: Iterable[int]) -> Iterator[str]:
    """Carry a scenario out without comparing; yields each step and everything that happened in it, as text.

    A race is not run: there is no one order of its events.
    """
    machine = boot_machine(scenario, patches)
    for index, step in enumerate(scenario.steps):
        what = " ".join(f"{key}={value}" for key, value in step.items() if key not in ("do", "note", "expect"))
        yield f"{index}: {step['do']} {what}".rstrip()
        if step["do"] == "race":
            return
        result = carry_out(machine, step)
        yield from (f"   {event.kind:8}{event}" for event in result.events)
        yield f"   -> {'panic' if result.panic else result.errno}"


def scenario_files(paths: Iterable[str]) -> list[str]:
    """The files named, and all .json files of the folders named."""
    return [
        str(file)
        for path in paths
        for file in (sorted(Path(path).rglob("*.json")) if Path(path).is_dir() else [path])
    ]
