"""Single facts in the vocabulary of a scenario's `expect`: taken apart, compared with what is seen, and told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mmsim.draw.figure import size as readable
from mmsim.machine.sizes import size
from mmsim.scenario.compare import Difference, Sight, compare
from mmsim.sim.cpu import ENDLESS

SIZES = ("plugged", "requested")  # in bytes
EVENTS = ("log", "no_log", "warns", "dumped", "drains", "migrated", "notified")  # of the step, growing within it
BOUNDS = {"min", "max"}
LONG = 4  # entries of a list that are shown


@dataclass(frozen=True)
class Fact:
    """One claim: the keys that lead to it, such as zones, Movable, free, and the value that it is said to have."""

    keys: tuple[str, ...]
    said: Any

    @property
    def what(self) -> str:
        """The keys as a reader sees them."""
        return ".".join(self.keys)

    @property
    def of_events(self) -> bool:
        """Is it about what happened in the step, and not about the state after it?"""
        return self.keys[0] in EVENTS or self.keys[:2] == ("driver", "requests")

    def expect(self) -> dict[str, Any]:
        """The claim as a scenario's `expect`."""
        said = self.said
        for key in reversed(self.keys):
            said = {key: said}
        return dict(said)

    def difference(self, see: Sight) -> Difference | None:
        """How what is seen differs from the claim; None if it holds. A panic is no errno, whichever was said."""
        if self.keys == ("errno",) and see.panic is not None and not isinstance(see.errno, tuple):
            return Difference("errno", self.said, "a panic")
        return next(compare(self.expect(), see, ""), None)


def single(expected: Any, keys: tuple[str, ...] = ()) -> Iterator[Fact]:
    """Each single fact of an `expect`."""
    if isinstance(expected, dict) and not (expected and set(expected) <= BOUNDS):
        for key, value in expected.items():
            yield from single(value, (*keys, str(key)))
    else:
        yield Fact(keys, in_bytes(expected) if keys and keys[0] in SIZES else expected)


def in_bytes(said: Any) -> Any:
    """A size, or bounds of one, as numbers: what is said of it may be such as "8M"."""
    if isinstance(said, dict):
        return {bound: in_bytes(value) for bound, value in said.items()}
    return size(said) if isinstance(said, str) else said


def kind_of(keys: tuple[str, ...]) -> str:
    """The kind of answer that a fact takes, from the keys that lead to it."""
    if keys[0] == "errno" or keys[-1] == "rc":
        return "errno"
    if keys[0] in SIZES:
        return "size"
    if keys[0] == "unmovable" or keys[-1] == "start":
        return "pfn"
    return "yesno" if keys[-1] in ("panic", "broken") else "number"


def shown(what: str, value: Any) -> str:
    """A value for a reader: sizes in MiB, lists as what they hold (long ones in part), no quotes."""
    if isinstance(value, dict):
        ends = {"min": "at least", "max": "at most"}
        return ", ".join(f"{ends.get(key, key)} {shown(what, each)}" for key, each in value.items())
    if isinstance(value, list | tuple):
        more = [f"… ({len(value)} in all)"] if len(value) > LONG else []
        return "; ".join([*(shown(what, each) for each in value[:LONG]), *more]) or "nothing"
    if value == ENDLESS:
        return "none, it tries without end"
    if value is None and what in ("errno", "dumped"):
        return "any" if what == "errno" else "NULL"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, int) and (what in SIZES or what in ("dumped", "unmovable")):
        return readable(value) if what in SIZES else hex(value)
    return str(value)
