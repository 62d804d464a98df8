"""The run of a question: facts compared with it, and the moment at which it contradicts them.

A fact of a scenario is about its last step. A fact of a race is about one outcome, along a shortest schedule that ends
so, or about all: the search through every interleaving decides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmsim.draw.race import said as told
from mmsim.draw.race_steps import RaceStep, race_steps
from mmsim.machine.machine import Machine
from mmsim.machine.races import MachineRace, Racer, explore, schedules, starter
from mmsim.questions.data import COUNTS, Scene
from mmsim.questions.facts import Fact, shown, single
from mmsim.questions.words import phrase
from mmsim.scenario.compare import Difference, Sight
from mmsim.scenario.replay import carry_out, racer
from mmsim.sim.interleavings import Outcome, outcome_of

Object = dict[str, Any]


@dataclass(frozen=True)
class Moment:
    """A step of a scenario or, at its end, of a race as it is shown: its number from 1, of how many, and its words.

    nearest: is the race one of which no order does what is claimed, shown in the one that comes nearest?
    """

    number: int
    of: int
    text: str
    nearest: bool = False

    def __str__(self) -> str:
        return f"step {self.number} of {self.of}: {self.text}" if self.of > 1 else self.text


@dataclass(frozen=True)
class Finding:
    """What a run says of one fact: does it hold, what is so instead, when was that decided, in which schedule."""

    fact: Fact
    holds: bool
    found: Any
    moment: Moment | None = None
    schedule: tuple[int, ...] = ()


def prepared(scene: Scene) -> Machine:
    """The machine of a scene before its last step."""
    machine = Machine(patches=scene.patches, **scene.machine)
    for step in scene.steps[:-1]:
        carry_out(machine, step)
    return machine


def watch(scene: Scene, facts: Sequence[Fact]) -> list[Finding]:
    """Compare facts with a run. Raises ValueError for a step that no machine could carry out."""
    machine = prepared(scene)
    if scene.race is None:
        return last_step(machine, scene, facts)
    racers = [named(task) for task in scene.race["tasks"]]
    if scene.outcome is None:
        return Search(machine, racers).findings(facts)
    misses, schedule = nearest(machine, racers, [scene.outcome])[0]
    if misses:
        raise ValueError(f"no interleaving ends in {shown('', scene.outcome)}")
    return [finding for finding, _ in along(machine, racers, schedule, facts)]


def deciding(fact: Fact, course: Sequence[Difference | None], late: int | None = None) -> int:
    """When a fact that is false in the end became so: after it was last true.

    If it never was: an errno when it was first known and another, a state when it last changed; and that something
    never happened is clear at `late`, after which nobody reports anything, or at the end.
    """
    held = [index for index, difference in enumerate(course) if difference is None]
    if held:
        return held[-1] + 1
    values = [difference.found if difference else None for difference in course]
    if fact.keys == ("errno",):
        return next((index for index, found in enumerate(values) if clash(fact.said, found)), len(course) - 1)
    changes = [index for index in range(1, len(values)) if values[index] != values[index - 1]]
    never = fact.of_events or not changes
    return (len(course) - 1 if late is None else late) if never else changes[-1]


def clash(said: Any, found: Any) -> bool:
    """Is an errno known that is not the one that was said? None is any, and one that is not known yet."""
    if isinstance(said, list) and isinstance(found, list):
        return any(None not in pair and pair[0] != pair[1] for pair in zip(said, found, strict=False))
    return found is not None and said != found


# -- one step after the other ------------------------------------------------------------------------


def last_step(machine: Machine, scene: Scene, facts: Sequence[Fact]) -> list[Finding]:
    """Carry out the last step, and look at its events one by one."""
    step = scene.steps[-1]
    result = carry_out(machine, step)
    see = Sight(machine, result.errno, result.panic, result.events, result.value)
    sights = [replace(see, events=result.events[:count]) for count in range(len(result.events) + 1)]
    findings = []
    for fact in facts:
        course = [fact.difference(each) for each in (sights if fact.of_events else [see])]
        at = since(fact, course)
        event = result.events[at - 1] if at and (course[at - 1] is None) != (course[-1] is None) else None
        text = phrase(step) + (f": {told(event)}" if event and told(event) else "")
        moment = Moment(len(scene.steps), len(scene.steps), text)
        findings.append(Finding(fact, course[-1] is None, course[-1].found if course[-1] else fact.said, moment))
    return findings


# -- races -------------------------------------------------------------------------------------------


def named(task: Object) -> Racer:
    """A task of a race, under the name that the question gives it."""
    return replace(racer(task), name=task.get("by") or task.get("note") or task["do"])


def sight(race: MachineRace) -> Sight:
    """What can be seen of a race as it is now."""
    trace = race.machine.trace
    return Sight(race.machine, race.errnos(), trace.panicked, trace.events[race.first_event :])


def nearest(machine: Machine, racers: Sequence[Racer], outcomes: Sequence[Object]) -> list[tuple[int, tuple[int, ...]]]:
    """For each outcome the schedule that comes nearest to it, a shortest one, and how many of its facts are false."""
    wanted = [list(single(outcome)) for outcome in outcomes]
    best: dict[int, tuple[int, tuple[int, int], tuple[int, ...]]] = {}
    for finished in schedules(machine, *racers):
        see, length = sight(finished), outcome_of(finished, None).length
        moves = tuple(move.task for move in finished.schedule)
        for index, facts in enumerate(wanted):
            found = (sum(missed(fact, see) for fact in facts), length, moves)
            best[index] = min(best.get(index, found), found)
    return [(misses, moves) for misses, _, moves in (best[index] for index in range(len(wanted)))]


def missed(fact: Fact, see: Sight) -> int:
    """How far what is seen is from a fact: 0 if it holds; of several errnos each counts that is another one."""
    difference = fact.difference(see)
    if difference is None:
        return 0
    said, found = fact.said, difference.found
    if fact.keys != ("errno",) or not isinstance(said, list) or not isinstance(found, list):
        return 1
    return sum(one not in (None, other) for one, other in zip(said, found, strict=False))


def along(machine: Machine, racers: Sequence[Racer], schedule: Sequence[int],
          facts: Sequence[Fact]) -> list[tuple[Finding, int]]:
    """Compare facts with a race along one schedule; each with the number of the move that decided it.

    Who is refused a pageblock has lost: what they do until they return the errno changes nothing.
    """
    steps = race_steps(machine, racers, schedule)
    refused = {step.actor: step.last for step in steps if step.deciding is not None}
    ends = played(machine, racers, schedule).errnos
    courses: list[list[Difference | None]] = [[] for _ in facts]
    for number, see in enumerate(moves(machine, racers, schedule)):
        lost = {task for task, move in refused.items() if move <= number and task < len(ends) and ends[task] != "0"}
        known = tuple(ends[task] if task in lost else errno for task, errno in enumerate(see.errno))
        for course, fact in zip(courses, facts, strict=True):
            course.append(fact.difference(replace(see, errno=known)))
    found = []
    for fact, course in zip(facts, courses, strict=True):
        end, at = course[-1], since(fact, course, max(refused.values(), default=None))
        said = end.found if end else fact.said
        found.append((Finding(fact, end is None, said, moment(steps, at), tuple(schedule)), at))
    return found


def moment(steps: Sequence[RaceStep], move: int) -> Moment:
    """The step of a race, as it is shown, that has this move; the first one for 0."""
    step = next(step for step in steps if step.last >= move)
    return Moment(step.number, step.frames, step.headline)


def since(fact: Fact, course: Sequence[Difference | None], late: int | None = None) -> int:
    """From when on a fact is for good what it is in the end: true, or false (see `deciding`)."""
    if course[-1] is not None:
        return deciding(fact, course, late)
    return max((index + 1 for index, difference in enumerate(course) if difference is not None), default=0)


def moves(machine: Machine, racers: Sequence[Racer], schedule: Sequence[int]) -> Iterator[Sight]:
    """A race along a schedule: what is seen at its start and after each move."""
    race = starter(machine, racers)()
    try:
        yield sight(race)
        for number, task in enumerate(schedule, 1):
            race.runnable()
            race.step(task)
            if number == len(schedule):
                race.finish()
            yield sight(race)
    finally:
        race.close()


def played(machine: Machine, racers: Sequence[Racer], schedule: Sequence[int]) -> Outcome:
    """The outcome of a race along a schedule."""
    race = starter(machine, racers)()
    try:
        for task in schedule:
            race.runnable()
            race.step(task)
        return outcome_of(race, None)
    finally:
        race.close()


@dataclass(frozen=True)
class Search:
    """Facts about a race as a whole."""

    machine: Machine
    racers: Sequence[Racer]

    def findings(self, facts: Sequence[Fact]) -> list[Finding]:
        """What the search says of each fact: of a count, or of an outcome; all outcomes are looked for at once."""
        outcomes = [fact.said[0] for fact in facts if fact.keys[0] not in COUNTS]
        near = iter(nearest(self.machine, self.racers, outcomes) if outcomes else ())
        return [self.count(fact) if fact.keys[0] in COUNTS else self.outcome(fact, *next(near)) for fact in facts]

    def outcome(self, fact: Fact, misses: int, schedule: tuple[int, ...]) -> Finding:
        """A claim that an outcome can be reached, or can't, beside the schedule that comes nearest to it."""
        if (misses == 0) == (fact.keys[0] == "reachable"):
            return Finding(fact, True, fact.said)
        return self.refuted(fact, fact.said[0], schedule, misses)

    def refuted(self, fact: Fact, outcome: Object, schedule: tuple[int, ...], misses: int) -> Finding:
        """A claim that the search refutes, with the schedule that shows it, or comes nearest to what was claimed."""
        single_facts = list(single(outcome))
        course = along(self.machine, self.racers, schedule, single_facts)
        decisive = [(at, finding) for finding, at in course if finding.holds == (misses == 0)]
        _, finding = (max if misses == 0 else min)(decisive, key=lambda pair: pair[0])
        moment = finding.moment and replace(finding.moment, nearest=misses > 0)
        return Finding(fact, False, [outcome], moment, schedule)

    def count(self, fact: Fact) -> Finding:
        """How many distinct outcomes, or schedules with pruning, or orders without it."""
        key = fact.keys[0]
        search = explore(self.machine, *self.racers, prune=key != "orders")
        found = len(search.outcomes) if key == "outcomes" else search.schedules
        said = fact.said if isinstance(fact.said, dict) else {"min": fact.said, "max": fact.said}
        return Finding(fact, said.get("min", found) <= found <= said.get("max", found), found)
