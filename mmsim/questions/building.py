"""Steps that the reader writes, and what they choose of the machine, so that a goal is reached."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mmsim.questions.answers import READERS, Misread, choose
from mmsim.questions.data import Filled, Scene, nulled
from mmsim.questions.facts import single
from mmsim.questions.judging import goal_row, missed, number
from mmsim.questions.problems import shuffled
from mmsim.questions.runs import watch
from mmsim.questions.verbs import example_of, verbs_of
from mmsim.questions.verdicts import Part, opened
from mmsim.questions.words import one_line
from mmsim.scenario.checks import ScenarioError, describe
from mmsim.scenario.format import STEP

Object = dict[str, Any]
LISTS = ("flags", "paths", "within", "answers")


def part_of(question: Filled, field: Object, said: Any) -> Any:
    """One part of what is built: the reader's steps, or what fills a gap of the machine. Raises ValueError."""
    if question.kind(field) == "steps":
        steps = written(said, {verb: example_of(question, verb) for verb in verbs_of(question)})
        check_steps(question, steps)
        return steps
    if "choice" in field:
        choices = shuffled(question, field)
        return choices[choose(said, [choice["text"] for choice in choices])]["sets"]
    return READERS[question.kind(field)](said)


def written(said: Any, examples: Mapping[str, str]) -> list[Object]:
    """Steps as JSON (a list, or an object a line) or one line each: the verb, then key=value; examples: by verb."""
    if isinstance(said, list) and all(isinstance(step, dict) for step in said):
        return said
    text = "\n".join(said) if isinstance(said, list) else str(said).strip()
    try:
        found = json.loads(text)
    except ValueError:
        return [line_of(line.strip(), examples) for line in text.splitlines() if line.strip()]
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list):
        raise ValueError(f"expected steps, one line each, such as {next(iter(examples.values()))}")
    return found


def line_of(line: str, examples: Mapping[str, str]) -> Object:
    """One step of one line."""
    if line.startswith("{"):
        try:
            return dict(json.loads(line))
        except ValueError as error:
            raise ValueError(f"{line!r} is no JSON ({error})") from None
    verb, *words = line.split()
    if odd := [word for word in words if "=" not in word]:
        example = examples.get(verb, next(iter(examples.values())))
        raise ValueError(f"{odd[0]!r} is not key=value: a step looks like {example}")
    pairs = dict(word.split("=", 1) for word in words)
    return {"do": verb, **{key: value_of(key, value) for key, value in pairs.items()}}


def value_of(key: str, text: str) -> Any:
    """A value of a line: a list with commas where the key wants one, JSON, or else a text."""
    if key in LISTS and not text.startswith("["):
        return [value_of("", each) for each in text.split(",") if each]
    try:
        return json.loads(text)
    except ValueError:
        return text


def check_steps(question: Filled, steps: list[Object]) -> None:
    """ValueError for steps that are none, too many, or not of the verbs that may be used."""
    limit, verbs = question.data["limit"], verbs_of(question)
    if len(steps) > limit:
        raise ValueError(f"{len(steps)} steps are too many: at most {limit}")
    for index, step in enumerate(steps, 1):
        if not isinstance(step, dict) or step.get("do") not in verbs:
            what = describe(step.get("do", "nothing") if isinstance(step, dict) else step)
            raise ValueError(f"step {index} begins with {what}: expected one of {', '.join(verbs)}")
        try:
            STEP({key: value for key, value in step.items() if key != "expect"}, "")
        except ScenarioError as error:
            place = f", {error.path.removeprefix('.')}," if error.path else ""
            raise ValueError(f"step {index}{place} expected {error.expected}, found {error.found}") from None


def built(question: Filled, read: Object) -> Object:
    """The fields that together make what is built, with what the reader gave."""
    return {f["name"]: read[f["name"]] for f in question.fields if "sets" in f or question.kind(f) == "steps"}


def scene_with(question: Filled, given: Object) -> Scene:
    """The run of what the reader built. Raises ScenarioError."""
    gaps = {f["sets"]: given[f["name"]] for f in question.fields if "sets" in f}
    steps = tuple(s for f in question.fields if question.kind(f) == "steps" for s in given[f["name"]])
    return question.scene(more=gaps, steps=steps, expect=nulled(question.data["goal"]), at=".goal")


def judge(question: Filled, given: Object) -> Part:
    """Run what was built, and compare with the goal. Raises Misread for what no machine could carry out."""
    try:
        scene = scene_with(question, given)
        findings = watch(scene, list(single(nulled(question.data["goal"]))))
    except ValueError as error:
        raise Misread(f"these steps can't be carried out: {error}") from None
    first = next(iter(given))
    rows = tuple(goal_row(first, finding, scene) for finding in findings)
    wrong = next((finding for finding in findings if not finding.holds), None)
    reason = one_line(question.data.get("reason", "")) if wrong is None else ""
    message = missed(wrong, scene) if wrong else ""
    moment = wrong.moment if wrong else None
    return Part(tuple(given), wrong is None, rows, moment, reason, opened(scene, stop=number(moment)), message)


def scene_of(question: Filled, answer: Object) -> Scene | None:
    """The run that a solution shows: the question's own, or of what was built; None without one, or with several."""
    if "goal" in question.data and any("sets" in f or question.kind(f) == "steps" for f in question.fields):
        read = {f["name"]: part_of(question, f, answer[f["name"]]) for f in question.fields}
        return scene_with(question, built(question, read))
    if "trials" in question.data or not question.data.get("steps"):
        return None
    return question.scene(question.cases[0])
