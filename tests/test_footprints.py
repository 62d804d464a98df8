"""A step declares what it touches: all that it changes, and enough that steps which touch nothing in common commute."""

from __future__ import annotations

import random
from collections.abc import Sequence
from itertools import combinations_with_replacement
from typing import Any

import pytest
from footprints import state_of, undeclared
from racing import MACHINES, racers_on, random_schedule

from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer, starter
from mmsim.sim.schedules import dependent

PAIRS = 40  # of each machine; the same at every run
SWAPS = 3  # of each schedule


def pairs_on(name: str, machine: Machine) -> list[tuple[Racer, Racer]]:
    """Some of all pairs that can be raced on a machine."""
    pairs = list(combinations_with_replacement(racers_on(machine), 2))
    return random.Random(name).sample(pairs, min(len(pairs), PAIRS))


@pytest.mark.parametrize("name", MACHINES)
def test_every_step_declares_what_it_changes(name: str) -> None:
    """Whatever differs after a step is in its footprint; `footprints` tells the few exceptions."""
    machine = MACHINES[name]()
    for pair in pairs_on(name, machine):
        names, before = [racer.name for racer in pair], state_of(machine)
        for race, number, footprint in random_schedule(machine, pair, names):
            after = state_of(race.machine)
            missing = undeclared(before, after, footprint)
            assert not missing, f"{race.everybody[number].name} in {names}: {missing}"
            before = after


def ends(machine: Machine, racers: Sequence[Racer], numbers: Sequence[int]) -> Any:
    """What is there after these tasks have taken a step each, in this order; None if one of them could not."""
    race = starter(machine, racers)()
    try:
        for number in numbers:
            if number not in race.runnable():
                return None
            race.step(number)
        tasks = [(task.done, repr(task.result), task.stalled is not None) for task in race.everybody]
        return state_of(race.machine), tasks, race.machine.trace.lines()
    finally:
        race.close()


@pytest.mark.parametrize("name", MACHINES)
def test_steps_that_touch_nothing_in_common_commute(name: str) -> None:
    """Two of them, one behind the other in a random schedule, lead to the same state the other way round."""
    machine = MACHINES[name]()
    for pair in pairs_on(name, machine):
        names = [racer.name for racer in pair]
        steps = [(number, footprint) for _, number, footprint in random_schedule(machine, pair, names)]
        numbers = [number for number, _ in steps]
        swaps = [i for i in range(len(steps) - 1)
                 if numbers[i] != numbers[i + 1] and not dependent(steps[i][1], steps[i + 1][1])]
        for i in random.Random(repr(names)).sample(swaps, min(len(swaps), SWAPS)):
            before, one, other = numbers[:i], numbers[i], numbers[i + 1]
            swapped = ends(machine, pair, [*before, other, one])
            assert swapped in (None, ends(machine, pair, [*before, one, other])), f"{names}: steps {i}, {i + 1}"
