"""Lines to be put in order: steps whose run has to reach a goal, patches with which each kernel on the way has to keep
to one, or events that a run has in an order of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise, permutations
from typing import Any

from mmsim.draw.race_steps import race_steps
from mmsim.machine.machine import Machine
from mmsim.mm.kernel import ChangeName
from mmsim.questions.answers import arrange
from mmsim.questions.claims import ending, kernel
from mmsim.questions.data import Filled, Scene, nulled
from mmsim.questions.facts import single
from mmsim.questions.judging import missed, number
from mmsim.questions.problems import shuffled
from mmsim.questions.runs import Finding, Moment, moment, moves, named, nearest, prepared, watch
from mmsim.questions.verdicts import Part, Row, opened
from mmsim.questions.words import one_line, phrase
from mmsim.scenario.checks import ScenarioError
from mmsim.scenario.compare import Sight
from mmsim.scenario.replay import carry_out

Object = dict[str, Any]
Line = Object


def read(question: Filled, field: Object, said: Any) -> list[Line]:
    """The lines in the reader's order. Raises ValueError."""
    lines = shuffled(question, field)
    return [lines[index] for index in arrange(said, [line["text"] for line in lines])]


def judge(question: Filled, field: Object, lines: Sequence[Line]) -> Part:
    """The verdict on an order: what was put at each place beside what belongs there, and if all is well the reason.

    Of patches several orders may be right, so what is said of each kernel on the way stands there instead.
    """
    if "patch" in lines[0]:
        return by_stage(question, field, lines)
    part = by_goal(question, field, lines) if "step" in lines[0] else by_run(question, field, lines)
    there = lines if part.right else arranged(question, field, lines)
    rows = tuple(
        Row(field["name"], f"place {place}", line["text"], other["text"], line is other)
        for place, (line, other) in enumerate(zip(lines, there, strict=True), 1)
    )
    return replace(part, rows=rows, reason=reason(question, field) if part.right else "")


def reason(question: Filled, field: Object) -> str:
    """Why the order is what it is."""
    return one_line(str(field.get("reason") or question.data.get("reason", "")))


def arranged(question: Filled, field: Object, lines: Sequence[Line]) -> tuple[Line, ...]:
    """The lines in an order that is right; those that come at the same time stay in theirs."""
    if "when" in lines[0]:
        when = times(question, field)[0]
        return tuple(sorted(lines, key=lambda line: when[line["text"]]))
    return first_right(question, field["name"])


@lru_cache
def first_right(question: Filled, name: str) -> tuple[Line, ...]:
    """The first right order of steps or patches, as near as can be to that of the file; searched for once."""
    (field,) = (each for each in question.fields if each["name"] == name)
    way = by_goal if "step" in field["line"][0] else by_stage
    right = next((order for order in permutations(field["line"]) if way(question, field, order).right), None)
    if right is None:
        raise question.error(f".field[{name}]", "lines of which an order reaches the goal", "none")
    return right


def solved(question: Filled, field: Object) -> tuple[list[str], str, str]:
    """An order that is right."""
    texts = [line["text"] for line in arranged(question, field, field["line"])]
    return texts, "\n  ".join(texts), reason(question, field)


# -- steps that have to reach a goal -----------------------------------------------------------------


def by_goal(question: Filled, field: Object, lines: Sequence[Line]) -> Part:
    """Do the lines as steps, in the reader's order, and look whether the goal is reached."""
    steps = tuple(question.fill(line["step"], question.values, ".field.line.step") for line in lines)
    goal = nulled(question.data["goal"])
    try:
        scene = question.scene(steps=steps, expect=goal, at=".goal")
        if failed := failure(scene, field):
            return failed
        findings = watch(scene, list(single(goal)))
    except ValueError as error:  # such as a name that is used before it is given
        return impossible(question, field, lines, steps, error)
    if (wrong := next((finding for finding in findings if not finding.holds), None)) is None:
        return Part((field["name"],), True, run=opened(scene))
    run = opened(scene, stop=number(wrong.moment))
    return Part((field["name"],), False, moment=wrong.moment, run=run, message=missed(wrong, scene))


def failure(scene: Scene, field: Object) -> Part | None:
    """The verdict where a step before the last one fails: all of them have to be done; None where none does."""
    machine = Machine(patches=scene.patches, **scene.machine)
    for count, step in enumerate(scene.steps[:-1], 1):
        if (result := carry_out(machine, step)).errno != "0":
            moment = Moment(count, len(scene.steps), phrase(step))
            message = f"In this order step {count} ends with -{result.errno}: {phrase(step)}."
            return Part((field["name"],), False, moment=moment, run=opened(scene, stop=count), message=message)
    return None


def impossible(question: Filled, field: Object, lines: Sequence[Line], steps: Sequence[Object],
               error: ValueError) -> Part:
    """The verdict where a step can't be done at its place, with the run of those before it."""
    done = doable(question, steps)
    why = "what it needs comes later" if isinstance(error, ScenarioError) else str(error)
    message = f"As number {done + 1}, this can't be done: “{lines[done]['text']}”; {why}."
    run = opened(question.scene(steps=tuple(steps[:done])), stop=done) if done else None
    return Part((field["name"],), False, run=run, message=message)


def doable(question: Filled, steps: Sequence[Object]) -> int:
    """How many of these steps can be done, one after the other, until one can't."""
    machine = None
    for count, step in enumerate(steps):
        try:
            scene = question.scene(steps=tuple(steps[: count + 1]))
            machine = machine or Machine(patches=scene.patches, **scene.machine)
            carry_out(machine, step)
        except ValueError:
            return count
    return len(steps)


# -- patches that are applied one after the other ------------------------------------------------------


def by_stage(question: Filled, field: Object, lines: Sequence[Line]) -> Part:
    """Apply the patches in the reader's order, and look whether the goal holds with each kernel on the way.

    Every order has the first and the last kernel, so these have a row only if the goal is missed there.
    """
    rows: list[Row] = []
    for count in range(len(lines) + 1):
        scene = with_patches(question, lines[:count])
        findings = stage(question, scene.patches)
        wrong = next((finding for finding in findings if not finding.holds), None)
        if wrong:
            rows.append(at_stage(field, scene, [wrong]))
            run = opened(scene, wrong.schedule, number(wrong.moment))
            return Part((field["name"],), False, tuple(rows), wrong.moment, "", run)
        if 0 < count < len(lines):
            rows.append(at_stage(field, scene, findings))
    return Part((field["name"],), True, tuple(rows), None, reason(question, field), opened(scene))


def with_patches(question: Filled, lines: Sequence[Line]) -> Scene:
    """The question's scene in the kernel with these patches, too."""
    bare = question.scene()
    return replace(bare, patches=bare.patches | {line["patch"] for line in lines})


@lru_cache(1024)
def stage(question: Filled, patches: frozenset[ChangeName]) -> list[Finding]:
    """What a kernel on the way does to the goal; all orders that lead to it share the search."""
    goal = [fact for _, fact in question.facts(question.data["goal"], ".goal")]
    if any(fact.keys[0] != "unreachable" for fact in goal):
        raise question.error(".goal", "unreachable outcomes, and nothing else", question.data["goal"])
    return watch(replace(question.scene(), patches=patches), goal)


def at_stage(field: Object, scene: Scene, findings: Sequence[Finding]) -> Row:
    """What must not happen with a kernel on the way, in one row."""
    ends = " or ".join(ending(finding.fact.said[0], scene) for finding in findings)
    right = all(finding.holds for finding in findings)
    what = f"{kernel(scene.patches)}, can it end with {ends}?"
    return Row(field["name"], what, "no", "no" if right else "yes", right)


# -- events that a run has in an order of its own ----------------------------------------------------


def by_run(question: Filled, field: Object, lines: Sequence[Line]) -> Part:
    """Compare with the order in which the lines become true in the run."""
    when, moments, schedule = times(question, field)
    at = [when[line["text"]] for line in lines]
    scene = question.scene()
    if (bad := next((index for index, (one, two) in enumerate(pairwise(at)) if one > two), None)) is None:
        return Part((field["name"],), True, run=opened(scene, schedule))
    where = moments[at[bad + 1] - 1]
    message = f"“{lines[bad + 1]['text']}” comes before “{lines[bad]['text']}”."
    run = opened(scene, schedule, where.number)
    return Part((field["name"],), False, moment=where, run=run, message=message)


def times(question: Filled, field: Object) -> tuple[dict[str, int], list[Moment], tuple[int, ...]]:
    """When each line becomes true in the run, the run's moments, and the schedule of a race."""
    scene = question.scene()
    facts = {line["text"]: list(single(line["when"])) for line in field["line"]}
    seen: dict[str, list[bool]] = {text: [] for text in facts}
    sights, moments, schedule = traced(scene)
    for see in sights:
        for text, wanted in facts.items():
            seen[text].append(all(fact.difference(see) is None for fact in wanted))
    return {text: rising(question, field, text, holds) for text, holds in seen.items()}, moments, schedule


def rising(question: Filled, field: Object, text: str, holds: Sequence[bool]) -> int:
    """The number of the moment at which something becomes true that was not."""
    for index in range(1, len(holds)):
        if holds[index] and not holds[index - 1]:
            return index
    at = f".field[{field['name']}].line[{text}].when"
    raise question.error(at, "facts that become true in the run", "some that don't")


def traced(scene: Scene) -> tuple[Iterator[Sight], list[Moment], tuple[int, ...]]:
    """What is seen before the run and after each step of it, or after each move of its race; with its moment."""
    if scene.race is None:
        count = len(scene.steps)
        moments = [Moment(number, count, phrase(step)) for number, step in enumerate(scene.steps, 1)]
        return after_steps(scene), moments, ()
    machine = prepared(scene)
    racers = [named(task) for task in scene.race["tasks"]]
    _, schedule = nearest(machine, racers, [scene.outcome or {}])[0]
    steps = race_steps(machine, racers, schedule)
    return moves(machine, racers, schedule), [moment(steps, n) for n in range(1, len(schedule) + 1)], schedule


def after_steps(scene: Scene) -> Iterator[Sight]:
    """What is seen before and after each step, with the events of the step."""
    machine = Machine(patches=scene.patches, **scene.machine)
    yield Sight(machine, None, None, ())
    for step in scene.steps:
        result = carry_out(machine, step)
        yield Sight(machine, result.errno, result.panic, result.events, result.value)


