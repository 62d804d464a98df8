"""Predictions of a reader, checked against what the model did.

A prediction is written in the vocabulary of a scenario's `expect`, so all that a scenario can check a reader can
predict.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmsim.draw.figure import Document, Table, plural
from mmsim.draw.figure import size as readable
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.machine.sizes import size
from mmsim.scenario.compare import COMPARE, Difference, Sight, compare

SIZES = ("plugged", "requested")  # in bytes; a reader may say "68M"
BOUNDS = {"min", "max"}
LONG = 4  # entries of a list that are shown


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
        """Did all of it come true?"""
        return all(answer.difference is None for answer in self.answers)

    @property
    def picture(self) -> Document:
        """As a figure: a table with a line for each answer."""
        true = sum(answer.difference is None for answer in self.answers)
        title = "✓ Your prediction came true" if self.right else "✗ The model disagrees"
        description = f"{true} of {plural(len(self.answers), 'answer')} right."
        table = Table(("what", "verdict", "your prediction", "the model says"), tuple(a.row for a in self.answers))
        return Document(title, description, table.html("Your prediction and what the model says"), str(table))

    def __str__(self) -> str:
        return "\n".join(map(str, self.answers))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return self.picture.html()


def predict(machine: Machine, result: Result | None = None, /, **expected: Any) -> Verdict:
    """Compare predictions with a machine as it is now, and with the result of the last call on it.

    machine: as it is after the call. result: what `Machine.attempt` returned; without it only the state can be
    predicted (blocks, zones, plugged, ...). A size is in bytes or such as "68M". Raises ValueError for what can't be
    predicted.
    """
    if unknown := set(expected) - set(COMPARE):
        raise ValueError(f"can't be predicted: {sorted(unknown)[0]!r}; known are {', '.join(COMPARE)}")
    ended = result or Result("0")
    see = Sight(machine, ended.errno, ended.panic, ended.events, ended.value)
    wanted = {what: in_bytes(said) if what in SIZES else said for what, said in expected.items()}
    return Verdict(tuple(answer(path, see) for path in paths(wanted)))


def answer(path: tuple[Any, ...], see: Sight) -> Answer:
    """Check one prediction: keys that lead to it, and its value."""
    *keys, said = path
    expect = said
    for key in reversed(keys):
        expect = {key: expect}
    return Answer(".".join(map(str, keys)), said, next(compare(expect, see, ""), None))


def paths(expected: Any) -> Iterator[tuple[Any, ...]]:
    """Each single fact of nested predictions as the keys that lead to it, and its value."""
    if isinstance(expected, dict) and not set(expected) <= BOUNDS:
        for key, value in expected.items():
            yield from ((key, *path) for path in paths(value))
    else:
        yield (expected,)


def in_bytes(said: Any) -> Any:
    """A size or its bounds in bytes. Raises ValueError for what is no size."""
    if isinstance(said, dict):
        return {bound: size(value) for bound, value in said.items()}
    return size(said)


def shown(what: str, value: Any) -> str:
    """A value for a reader: sizes in MiB, lists as what they hold (long ones in part), no quotes."""
    if isinstance(value, dict):
        ends = {"min": "at least", "max": "at most"}
        return ", ".join(f"{ends.get(key, key)} {shown(what, each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        more = [f"… ({len(value)} in all)"] if len(value) > LONG else []
        return "; ".join([*(shown(what, each) for each in value[:LONG]), *more]) or "nothing"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return readable(value) if what in SIZES else str(value)
