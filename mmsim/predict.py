"""Predictions of a reader, checked against what the model did.

A prediction is written in the vocabulary of a scenario's `expect`, so all that a scenario can check a reader can
predict.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

from mmsim.machine import Machine, Result
from mmsim.scenario.compare import COMPARE, Sight, compare


@dataclass(frozen=True)
class Verdict:
    """How predictions came out: (what, predicted, found), where found is None if the prediction came true."""

    rows: tuple[tuple[str, Any, Any], ...]

    @property
    def right(self) -> bool:
        """Did all of it come true?"""
        return all(found is None for _, _, found in self.rows)

    def __str__(self) -> str:
        return "\n".join(
            f"{'right' if found is None else 'wrong'}: {what} = {predicted!r}"
            + ("" if found is None else f" (the model says {found!r})")
            for what, predicted, found in self.rows
        )

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{'✓ right' if found is None else '✗ wrong'}</td><td>{escape(what)}</td>"
            f"<td>{escape(repr(predicted))}</td><td>{'' if found is None else escape(repr(found))}</td></tr>"
            for what, predicted, found in self.rows
        )
        head = "".join(f'<th scope="col">{name}</th>' for name in ("", "What", "Your prediction", "The model says"))
        return f'<table class="mmsim-verdict"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'


def predict(machine: Machine, result: Result | None = None, /, **expected: Any) -> Verdict:
    """Compare predictions with a machine as it is now, and with the result of the last call on it.

    machine: as it is after the call. result: what `Machine.attempt` returned; without it only the state can be
    predicted (blocks, zones, plugged, ...). Raises ValueError for what can't be predicted.
    """
    if unknown := set(expected) - set(COMPARE):
        raise ValueError(f"can't be predicted: {sorted(unknown)[0]!r}; known are {', '.join(COMPARE)}")
    ended = result or Result("0")
    see = Sight(machine, ended.errno, ended.panic, ended.events, ended.value)
    rows = []
    for what, prediction in expected.items():
        found = [difference.found for difference in compare({what: prediction}, see, "")]
        rows.append((what, prediction, found[0] if found else None))
    return Verdict(tuple(rows))
