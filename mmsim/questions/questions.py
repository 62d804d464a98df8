"""The questions of the book: their names, the verdict on an answer, the solution, the hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmsim.questions import building, functions, judging, orders, replacing
from mmsim.questions.answers import SURE, Misread, empty, misreading
from mmsim.questions.data import Filled, chapter, chapters, filled
from mmsim.questions.verdicts import Part, Solution, Verdict, opened, together
from mmsim.questions.words import one_line

Object = dict[str, Any]


def names(of_chapter: str = "") -> list[str]:
    """The names of all questions, or of those of one chapter, in the order of the book's files. Raises ValueError."""
    return [f"{each}/{slug}" for each in ([of_chapter] if of_chapter else chapters()) for slug in chapter(each)]


def hint(name: str) -> str:
    """The one hint of a question. Raises ValueError for a name that is none."""
    return " ".join(filled(name, 0).data["hint"].split())


def check(name: str, answer: Mapping[str, Any], seed: int = 0) -> Verdict:
    """What the run says to an answer; each time on fresh machines, so the same answer gets the same verdict.

    Raises ValueError for a question that is not there. What is no answer gets a verdict: unanswered or invalid.
    """
    question, given = filled(name, seed), dict(answer)
    sure = given.pop("sure", "") or ""
    fields = {field["name"]: field for field in question.fields}
    if unknown := [key for key in given if key not in fields]:
        return Verdict(name, seed, "invalid", f"There is no field {unknown[0]!r}: the fields are {', '.join(fields)}.")
    if sure and sure not in SURE:
        return Verdict(name, seed, "invalid", f"How sure you are is one of {', '.join(SURE)}, not {sure!r}.")
    missing = [field["name"] for field in question.fields if empty(given.get(field["name"]))]
    try:
        read = {name: understood(question, fields[name], said) for name, said in given.items() if name not in missing}
        if missing:
            still = " · ".join(fields[each]["label"] for each in missing)
            return Verdict(name, seed, "unanswered", f"Still open: {still}", sure=sure)
        labels = {key: field["label"] for key, field in fields.items()}
        return together(name, seed, judged(question, read), sure, labels)
    except Misread as error:
        return Verdict(name, seed, "invalid", f"{error}.", sure=sure)


def understood(question: Filled, field: Object, said: Any) -> Any:
    """A field's answer in the form in which its kind judges it. Raises Misread."""
    kind = question.kind(field)
    with misreading(field["name"]):
        if "sets" in field or kind == "steps":
            return building.part_of(question, field, said)
        if kind == "order":
            return orders.read(question, field, said)
        return str(said) if kind in ("code", "text") else judging.claim(question, field, said)


def judged(question: Filled, read: Object) -> list[Part]:
    """The verdict on each field, in the order of the question; raises Misread for what only running it shows."""
    parts = judging.judge(question, [one for one in read.values() if isinstance(one, judging.Claim)])
    if "goal" in question.data and (built := building.built(question, read)):
        parts.append(building.judge(question, built))
    for field in question.fields:
        kind, said = question.kind(field), read[field["name"]]
        if kind == "order":
            parts.append(orders.judge(question, field, said))
        elif kind == "code":
            parts.append((replacing if "replaces" in question.data else functions).judge(question, field, said))
        elif kind == "text":
            parts.append(Part((field["name"],), None))
    places = {field["name"]: index for index, field in enumerate(question.fields)}
    return sorted(parts, key=lambda part: places[part.fields[0]])


def solve(name: str, seed: int = 0) -> Solution:
    """The model's answer to a question. Raises ValueError; ScenarioError if the question has no one right answer."""
    question = filled(name, seed)
    answer, texts = {}, []
    for field in question.fields:
        said, shown, why = solved(question, field)
        answer[field["name"]] = said
        texts.append((field["label"], shown, " ".join(why.split())))
    scene = building.scene_of(question, answer)
    rubric = tuple((" ".join(each["says"].split()), each["points"]) for each in question.data.get("rubric", ()))
    return Solution(name, seed, answer, tuple(texts), opened(scene) if scene else None, rubric,
                    one_line(question.data.get("reason", "")))


def solved(question: Filled, field: Object) -> tuple[Any, str, str]:
    """The model's answer to a field: as `check` takes it, in words, and why."""
    kind = question.kind(field)
    if field["name"] in question.data.get("worked", {}):
        said = question.fill(question.data["worked"][field["name"]], question.values)
        return said, str(said).strip(), field.get("reason", "")
    if kind == "text":
        return "Compare with the rubric.", "an essay; the rubric says what it is worth", ""
    return orders.solved(question, field) if kind == "order" else judging.solved(question, field)
