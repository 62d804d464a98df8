"""Choices, values and yes or no: the facts that an answer claims, compared with the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mmsim.questions.answers import READERS, choose
from mmsim.questions.claims import about, ending, run_of
from mmsim.questions.claims import value as telling
from mmsim.questions.data import Filled, Scene
from mmsim.questions.facts import Fact
from mmsim.questions.problems import shuffled
from mmsim.questions.runs import Finding, Moment, watch
from mmsim.questions.verdicts import Part, Row, opened

Object = dict[str, Any]
Placed = tuple[str, Fact]  # the name of a case, and a fact about its run
PROBES = {"errno": "0", "size": 0, "pfn": 0, "number": 0, "yesno": False}
OPPOSITE = {"reachable": "unreachable", "unreachable": "reachable"}


@dataclass(frozen=True)
class Claim:
    """What a reader says in one field, as facts. With `negated` the claim is that not all of them hold."""

    field: Object
    said: str
    facts: tuple[Placed, ...]
    reason: str
    negated: bool = False


def claim(question: Filled, field: Object, said: Any) -> Claim:
    """A field's answer as facts. Raises ValueError for what can't be understood."""
    kind = question.kind(field)
    if kind == "choice":
        choices = shuffled(question, field)
        return chosen(question, field, choices[choose(said, [each["text"] for each in choices])])
    value = READERS[kind](said)
    if kind == "yesno" and "holds" in field:
        return yes_no(question, field, value)
    fact = Fact(question.asked(field), value)
    scene = question.scene(field.get("case", ""))
    believed = [each["reason"] for each in field.get("belief", ()) if READERS[kind](each["says"]) == value]
    return Claim(field, telling(fact, value, scene), ((field.get("case", ""), fact),), " ".join(believed))


def chosen(question: Filled, field: Object, choice: Object) -> Claim:
    """What a choice predicts."""
    at = f".field[{field['name']}].choice[{choice['text']}].predicts"
    return Claim(field, choice["text"], tuple(question.facts(choice["predicts"], at)), choice["reason"])


def yes_no(question: Filled, field: Object, value: bool) -> Claim:
    """What yes, or no, claims. That an outcome can't be reached is a claim of its own, which a schedule refutes."""
    facts = tuple(question.facts(field["holds"], f".field[{field['name']}].holds", field.get("case", "")))
    word = "yes" if value else "no"
    (case, fact), *more = facts
    if not value and not more and fact.keys[0] in OPPOSITE and len(fact.said) == 1:
        return Claim(field, word, ((case, Fact((OPPOSITE[fact.keys[0]],), fact.said)),), "")
    return Claim(field, word, facts, "", negated=not value)


def judge(question: Filled, claims: Sequence[Claim]) -> list[Part]:
    """Compare claims with the runs that they are about; each run is made once."""
    findings: dict[int, list[tuple[str, Finding]]] = {}
    for case in question.cases:
        mine = [(index, fact) for index, one in enumerate(claims) for name, fact in one.facts if name == case]
        found = run(question, case, [fact for _, fact in mine]) if mine else []
        for (index, _), finding in zip(mine, found, strict=True):
            findings.setdefault(index, []).append((case, finding))
    return [part(question, one, findings[index]) for index, one in enumerate(claims)]


def run(question: Filled, case: str, facts: Sequence[Fact]) -> list[Finding]:
    """Compare facts with the run of a case. Raises ScenarioError for one that can't be carried out."""
    try:
        return watch(question.scene(case), facts)
    except ValueError as error:
        raise question.error(".steps", f"steps that can be done ({error})", "one that can't") from error


def part(question: Filled, one: Claim, findings: Sequence[tuple[str, Finding]]) -> Part:
    """The verdict on one claim."""
    holds = all(finding.holds for _, finding in findings)
    right = holds != one.negated
    case, finding = next(((c, f) for c, f in findings if f.holds == one.negated), findings[0])
    if one.field.get("holds"):
        rows = [Row(one.field["name"], label(one.field), one.said, one.said if right else other(one.said), right)]
    else:
        rows = [row(question, one.field, name, each) for name, each in findings]
    # Why a value is what it is would tell it: that is said to a right answer, and in the solution.
    reason = one.reason if "choice" in one.field or not right else one.field["reason"]
    return Part((one.field["name"],), right, tuple(rows), None if right else finding.moment, reason,
                opened(question.scene(case), finding.schedule, number(finding.moment)))


def label(field: Object) -> str:
    """What a field asks, as plain text."""
    return str(field["label"]).replace("`", "")


def other(word: str) -> str:
    """The other one of yes and no."""
    return "no" if word == "yes" else "yes"


def number(moment: Moment | None) -> int:
    """Where to open a run: at the moment if there is one, else at its start."""
    return moment.number if moment else 0


def row(question: Filled, field: Object, case: str, finding: Finding) -> Row:
    """A finding for a reader: about what the field asks, or about what a choice predicts of one of the runs."""
    fact, scene, name = finding.fact, question.scene(case), field["name"]
    if "asks" in field:
        said, found = (telling(fact, each, scene) for each in (fact.said, finding.found))
        return Row(name, label(field), said, found, finding.holds)
    run = f"{where}: " if (where := run_of(question, case)) else ""
    if fact.keys[0] in OPPOSITE:
        claimed = "yes" if fact.keys[0] == "reachable" else "no"
        found = claimed if finding.holds else other(claimed)
        return Row(name, f"{run}can it end with {ending(fact.said[0], scene)}?", claimed, found, finding.holds)
    return goal_row(name, finding, scene, run)


def goal_row(field: str, finding: Finding, scene: Scene, run: str = "") -> Row:
    """A fact about a run, what was said of it, and what is so."""
    fact = finding.fact
    said, found = (telling(fact, each, scene) for each in (fact.said, finding.found))
    found = f"it says {found}" if fact.keys[0] == "no_log" and not finding.holds else found
    return Row(field, run + about(fact, scene), said, found, finding.holds)


def missed(finding: Finding, scene: Scene) -> str:
    """In a sentence, which part of a goal is not reached."""
    row, fact = goal_row("", finding, scene), finding.fact
    if fact.keys[0] == "no_log":
        lines = [line for line in finding.found if any(piece in line for piece in fact.said)]
        return f"The goal is not reached: of the last step, the log says {telling(fact, lines, scene)}."
    return f"The goal is not reached: {row.head} {row.found}, not {row.said}."


# -- what the model says -----------------------------------------------------------------------------


def right_choices(question: Filled, field: Object) -> list[Object]:
    """The choices of a field that the run agrees with."""
    claims = [chosen(question, field, choice) for choice in field["choice"]]
    found = judge(question, claims)
    return [choice for choice, one in zip(field["choice"], found, strict=True) if one.right]


def solved(question: Filled, field: Object) -> tuple[Any, str, str]:
    """The model's answer to a field: as `check` takes it, in words, and why.

    Raises ScenarioError if not exactly one choice is right.
    """
    if "choice" in field:
        right = right_choices(question, field)
        if len(right) != 1:
            raise question.error(f".field[{field['name']}]", "exactly one choice that the run agrees with", len(right))
        return right[0]["text"], right[0]["text"], right[0]["reason"]
    kind = question.kind(field)
    if "holds" in field:
        (verdict,) = judge(question, [yes_no(question, field, True)])
        word = "yes" if verdict.right else "no"
        return word, word, field["reason"]
    fact = Fact(question.asked(field), PROBES[kind])
    (finding,) = run(question, field.get("case", ""), [fact])
    text = "none" if finding.found is None else telling(fact, finding.found, question.scene(field.get("case", "")))
    return "none" if finding.found is None else finding.found, text, field["reason"]
