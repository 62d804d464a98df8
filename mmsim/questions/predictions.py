"""Predictions of a reader, checked against what the model did.

A prediction is written in the vocabulary of a scenario's `expect`, so all that a scenario can check a reader can
predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from mmsim.draw.figure import Document, Table, plural
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.questions.answers import predicted
from mmsim.questions.facts import shown, single
from mmsim.scenario.compare import COMPARE, Difference, Sight


@dataclass(frozen=True)
class Answer:
    """One prediction, by its path, such as `zones.Movable.managed`; without a difference it came true."""

    what: str
    predicted: Any
    difference: Difference | None

    @property
    def row(self) -> tuple[str, str, str, str]:
        """What, whether it came true, what was predicted, and what the model says."""
        said = shown(self.what, self.predicted)
        if self.difference is None:
            return self.what, "✓ right", said, "the same"
        return self.what, "✗ wrong", said, shown(self.what, self.difference.found)

    def __str__(self) -> str:
        what, _, said, found = self.row
        return f"right: {what} = {said}" if self.difference is None else f"wrong: {what} = {said}, not {found}"


@dataclass(frozen=True)
class Verdict:
    """How predictions came out, one answer for each fact that was predicted."""

    answers: tuple[Answer, ...]

    @property
    def right(self) -> bool:
        """Was something predicted, and did all of it come true?"""
        return bool(self.answers) and all(answer.difference is None for answer in self.answers)

    @property
    def picture(self) -> Document:
        """As a figure: a table with a line for each answer."""
        true = sum(answer.difference is None for answer in self.answers)
        title = "✓ Your prediction came true" if self.right else "✗ The model disagrees"
        if not self.answers:
            title = "Nothing was predicted"
        description = f"{true} of {plural(len(self.answers), 'answer')} right."
        table = Table(("what", "verdict", "your prediction", "the model says"), tuple(a.row for a in self.answers))
        return Document(title, description, table.html("Your prediction and what the model says"), str(table))

    def __str__(self) -> str:
        return "\n".join(map(str, self.answers)) or "nothing was predicted"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.picture.html()


def predict(machine: Machine, result: Result | None = None, /, **expected: Any) -> Verdict:
    """Compare predictions with a machine as it is now, and with the result of the last call on it.

    machine: as it is after the call. result: what `Machine.attempt` returned; without it only the state can be
    predicted (blocks, zones, plugged, ...). A size is in bytes or such as "68M", an errno EBUSY, -EBUSY, 16 or -16.
    Raises ValueError for what can't be predicted, and for a value that it can't have.
    """
    if unknown := set(expected) - set(COMPARE):
        raise ValueError(f"can't be predicted: {sorted(unknown)[0]!r}; known are {', '.join(COMPARE)}")
    ended = result or Result("0")
    see = Sight(machine, ended.errno, ended.panic, ended.events, ended.value)
    facts = single({key: predicted(key, said) for key, said in expected.items()})
    return Verdict(tuple(Answer(fact.what, fact.said, fact.difference(see)) for fact in facts))
