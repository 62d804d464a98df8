"""What is said to an answer, and what the model's own answer is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from mmsim.questions.data import Scene
from mmsim.questions.runs import Moment

Object = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One fact: the field it belongs to, what it is about, what was said, what the run has, and whether they agree."""

    field: str
    what: str
    said: str
    found: str
    holds: bool

    def __str__(self) -> str:
        if self.holds:
            return f"✓ {self.head} {self.said}"
        return f"✗ {self.head} by your answer {self.said}; in the run {self.found}"

    @property
    def head(self) -> str:
        """What it is about, before a value: a question, or a noun and a colon."""
        return heading(self.what)


@dataclass(frozen=True)
class Why:
    """Why a field's answer is so if it is right, and why one may think it if it isn't; `label` is what is asked."""

    label: str
    right: bool
    text: str


@dataclass(frozen=True)
class Part:
    """The verdict on one field, or on several that only make sense together; `right` is None where nobody can say."""

    fields: tuple[str, ...]
    right: bool | None
    rows: tuple[Row, ...] = ()
    moment: Moment | None = None
    reason: str = ""
    run: Object | None = None
    message: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the run says to an answer.

    state: right, partly, wrong, unanswered, invalid, or noted (an essay: nobody but a person judges it).
    message: one sentence. facts: one by one. first: the step at which the run contradicts the answer. whys: for each
    field why one thinks so, or why it is so. run: machine, patches, steps and, of a race, the schedule that shows it,
    to be opened. fields: for each field whether it is right.
    """

    name: str
    seed: int
    state: str
    message: str
    facts: tuple[Row, ...] = ()
    first: Moment | None = None
    whys: tuple[Why, ...] = ()
    run: Object | None = None
    sure: str = ""
    fields: Object = field(default_factory=dict)

    @property
    def right(self) -> bool:
        """Is all of it right?"""
        return self.state == "right"

    @property
    def belief(self) -> str:
        """Why one thinks what is not so."""
        return " ".join(dict.fromkeys(why.text for why in self.whys if not why.right and why.text))

    @property
    def reason(self) -> str:
        """Why what is right is right."""
        return " ".join(dict.fromkeys(why.text for why in self.whys if why.right and why.text))

    def as_json(self) -> Object:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.state}: {self.message}", *(f"  {row}" for row in self.facts)]
        lines += [f"{' '.join(parting(self.first))} {self.first}."] if self.first else []
        several = len(self.whys) > 1
        lines += [f"{why.label} {why.text}" if several else why.text for why in self.whys if why.text]
        return "\n".join(lines)


@dataclass(frozen=True)
class Solution:
    """The model's answer. `answer` is one that `check` takes; texts: for each field (label, answer, why); rubric: of an
    essay, what is worth how many points."""

    name: str
    seed: int
    answer: Object
    texts: tuple[tuple[str, str, str], ...]
    run: Object | None = None
    rubric: tuple[tuple[str, int], ...] = ()
    reason: str = ""

    def as_json(self) -> Object:
        """Plain data."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{label}\n  {said}" + (f"\n  {why}" if why else "") for label, said, why in self.texts]
        rubric = [f"  {points}  {says}" for says, points in self.rubric]
        return "\n".join([*lines, *rubric, *([self.reason] if self.reason else [])])


def opened(scene: Scene, schedule: Sequence[int] = (), stop: int = 0) -> Object:
    """A run as data: what boots, what is done, and of a race the order of the tasks; `stop` is where to open it."""
    run = {"machine": scene.machine, "patches": sorted(scene.patches, key=str), "steps": list(scene.steps)}
    return {**run, **({"schedule": list(schedule)} if schedule else {}), "stop": stop}


def together(name: str, seed: int, parts: Sequence[Part], sure: str, labels: Mapping[str, str]) -> Verdict:
    """One verdict of the verdicts on all fields; labels: what each field asks."""
    judged = [part for part in parts if part.right is not None]
    good = [part for part in judged if part.right]
    wrong = [part for part in judged if not part.right]
    state = "noted" if not judged else "right" if not wrong else "partly" if good else "wrong"
    shown = min(wrong, key=lambda part: part.moment.number if part.moment else 0) if wrong else parts[0]
    rows = tuple(row for part in parts for row in part.rows)
    return Verdict(
        name, seed, state, sentence(state, parts, labels), rows,
        first=shown.moment if wrong else None,
        whys=tuple(Why(labels[part.fields[0]], part not in wrong, part.reason) for part in judged),
        run=shown.run,
        sure=sure,
        fields={field: part.right for part in parts for field in part.fields},
    )


def sentence(state: str, parts: Sequence[Part], labels: Mapping[str, str]) -> str:
    """The verdict in words: of what is wrong, a sentence for each part."""
    if state == "noted":
        return "Your text is noted; compare it with the rubric."
    if state == "right":
        return parts[0].message or "The run agrees."
    judged = [part for part in parts if part.right is not None]
    told = [amiss(part, labels[part.fields[0]] if len(judged) > 1 else "") for part in judged if not part.right]
    good = len(judged) - len(told)
    return " ".join(filter(None, [f"{good} of {len(judged)} right." if good else "", *told]))


def amiss(part: Part, label: str) -> str:
    """What is wrong with a part: its own words, or its first fact that doesn't hold, after the label of its field."""
    row = next((row for row in part.rows if not row.holds), None)
    if part.message or row is None:
        return part.message
    said = f"{row.found.capitalize()}." if row.said in ("yes", "no") else f"{row.found}, not {row.said}."
    if label and row.what == label.replace("`", ""):
        return f"{heading(label)} {said}"
    fact = f"{row.head[0].upper()}{row.head[1:]} {said}"
    return f"{heading(label)} {fact}" if label else fact


def parting(first: Moment) -> tuple[str, ...]:
    """What stands before the moment at which the run contradicts the answer: a sentence, and perhaps more."""
    if first.nearest:
        return "No order of events ends so.", "The one that comes nearest parts from it here:"
    return ("Where the run parts from it.",)


def heading(label: str) -> str:
    """A label before an answer."""
    return label if label.endswith("?") else f"{label}:"
