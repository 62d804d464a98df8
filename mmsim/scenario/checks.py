"""Checks of one JSON value, to be put together: each returns the value converted, or raises `ScenarioError`."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Rule = Literal["json", "schema", "format"]
Check = Callable[[Any, str], Any]  # from a value and its JSON path to the value, converted
Object = dict[str, Any]
Placed = tuple[str, Any]  # a JSON path and the value there


class ScenarioError(ValueError):
    """A file that isn't a scenario: `file`, the JSON `path` in it, what was `expected` there, and `found`.

    `rule` is what was broken: "json" (then `path` is a line or a byte), "schema" (the form of one value) or
    "format" (what only the meaning of the values shows, such as a name that nobody gave).
    """

    def __init__(
        self, path: str, expected: str, found: str = "", rule: Rule = "format", file: str = "<scenario>"
    ) -> None:
        super().__init__(path, expected, found, rule, file)
        self.path, self.expected, self.found, self.rule, self.file = path, expected, found, rule, file

    def __str__(self) -> str:
        text = f"{self.file}: {self.path}: expected {self.expected}"
        return f"{text}, found {self.found}" if self.found else text


@dataclass(frozen=True)
class NotJSON:
    """Words in place of what JSON doesn't have; as no check takes it for a value, its place gets named."""

    text: str


def _object(pairs: list[tuple[str, Any]]) -> Object | NotJSON:
    found = dict(pairs)
    again = iter(found)
    for key, _ in pairs:
        if key != next(again, None):
            return NotJSON(f"an object that has {describe(key)} twice")
    return found


def _float(text: str) -> float | NotJSON:
    return NotJSON("a number that is too large") if math.isinf(float(text)) else float(text)


def describe(value: object) -> str:
    """A value for a message: short, on one line, in ASCII."""
    if isinstance(value, NotJSON):
        return value.text
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, default=repr)
    return text if len(text) <= 60 else text[:57] + "..."


NOT_KNOWN, NOT_THERE = NotJSON("an unknown key"), NotJSON("an object without it")


def at(path: str, key: str) -> str:
    """The JSON path of a key."""
    return f"{path}.{key}" if re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", key) else f"{path}[{describe(key)}]"


def need(holds: object, path: str, expected: str, value: object, rule: Rule = "format") -> None:
    """ScenarioError unless it holds."""
    if not holds:
        raise ScenarioError(path, expected, describe(value), rule)


def where(what: str, holds: Callable[[Any], object], then: Check = lambda value, path: value) -> Check:
    """The check the others are made of: a value for which something `holds`, looked into or converted."""

    def check(value: Any, path: str) -> Any:
        need(holds(value), path, what, value, "schema")
        try:
            return then(value, path)
        except ScenarioError:
            raise
        except ValueError as error:  # it looked right, but `size` or `pfn` couldn't take it
            raise ScenarioError(path, f"{what} ({error})", describe(value)) from None

    return check


def also(check: Check, what: str, holds: Callable[[Any], object] = bool, rule: Rule = "schema") -> Check:
    """A check, then one of what it returned: if nothing else is said, that it isn't empty."""

    def both(value: Any, path: str) -> Any:
        found = check(value, path)
        need(holds(found), path, what, value, rule)
        return found

    return both


def any_of(what: str, *checks: Check) -> Check:
    """The first of these checks that takes the value; if none does, the error is the one that came furthest."""
    def check(value: Any, path: str) -> Any:
        meant = ScenarioError(path, what, describe(value), "schema")
        for one in checks:
            try:
                return one(value, path)
            except ScenarioError as error:
                if error.path != path or error.rule == "format":  # only the inside is wrong
                    meant = error
        raise meant

    return check


def is_number(value: object) -> bool:
    """Is it a number? JSON's true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def integer(least: float = -math.inf, most: float = math.inf) -> Check:
    """An integer from `least` to `most`; 2.0 is one too."""
    what = "an integer" + f" from {least}" * (least > -math.inf) + f" to {most}" * (most < math.inf)
    return where(what, lambda n: is_number(n) and n % 1 == 0 and least <= n <= most, lambda n, path: int(n))


def enum(words: str) -> Check:
    """One of these words, which are given with spaces between."""
    values = words.split()
    return where(f"one of {', '.join(values)}" if len(values) > 1 else words, lambda value: value in values)


def text(what: str, regex: str, convert: Callable[[str], Any] = str) -> Check:
    """A text that matches a regular expression as a whole, converted."""
    matches = re.compile(regex).fullmatch
    return where(what, lambda v: isinstance(v, str) and matches(v), lambda v, path: convert(v))


def list_of(item: Check) -> Check:
    """A list whose items pass a check."""
    def then(value: list[Any], path: str) -> list[Any]:
        return [item(each, f"{path}[{i}]") for i, each in enumerate(value)]

    return where("a list", lambda value: isinstance(value, list), then)


def tuple_of(what: str, *items: Check) -> Check:
    """A list of as many items as there are checks, one for each."""
    def then(value: list[Any], path: str) -> list[Any]:
        return [item(each, f"{path}[{i}]") for i, (item, each) in enumerate(zip(items, value, strict=True))]

    return where(what, lambda value: isinstance(value, list) and len(value) == len(items), then)


def object_of(then: Check) -> Check:
    """An object that passes a check."""
    return where("an object", lambda value: isinstance(value, dict), then)


def map_of(key: Check, item: Check) -> Check:
    """An object with any keys; a check for the keys and one for the values."""
    def then(value: Object, path: str) -> Object:
        return {key(name, at(path, name)): item(each, at(path, name)) for name, each in value.items()}

    return object_of(then)


def obj(keys: dict[str, Check]) -> Check:
    """An object with these keys and no others; one with a question mark may be absent."""
    known = {key.rstrip("?"): check for key, check in keys.items()}

    def then(value: Object, path: str) -> Object:
        for key in value:
            need(key in known, at(path, key), f"one of the keys {', '.join(known)}", NOT_KNOWN, "schema")
        for key in known:
            need(key in value or key not in keys, path, f"the key {key}", NOT_THERE, "schema")
        return {key: known[key](each, at(path, key)) for key, each in value.items()}

    return object_of(then)


def by_do(kinds: dict[str, Check]) -> Check:
    """An object whose key `do` says which one of these kinds it is."""
    kind = enum(" ".join(kinds))

    def then(value: Object, path: str) -> Any:
        return kinds[kind(value.get("do", NotJSON("nothing")), at(path, "do"))](value, path)

    return object_of(then)


def unique(check: Check) -> Check:
    """A check of a list, none of whose items may be there twice."""
    return also(check, "no item twice", lambda items: all(items.count(item) == 1 for item in items))


NATURAL = integer(0)


def counted(what: str, one: Check) -> Check:
    """What `one` takes, or bounds: an object with min, max or both."""
    ends = also(obj({"min?": NATURAL, "max?": NATURAL}), "min, max or both")
    bounds = also(ends, "min <= max", lambda n: n.get("min", 0) <= n.get("max", math.inf), "format")
    return any_of(f"{what}, or an object with min, max or both", one, bounds)
