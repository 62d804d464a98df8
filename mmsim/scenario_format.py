"""Scenario files, format 1: a JSON document becomes a `Scenario`, or a `ScenarioError` names the place.

Three floors: checks of one value, which return it converted; the format as tables of such checks; and the
rules between values. None of it needs a running machine, and nothing in a file is evaluated.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from mmsim.mm.mmzone import (
    MEMORY_BLOCK_SIZE,
    PAGE_SIZE,
    PAGES_PER_SECTION,
    migratetype_names,
    pageblock_nr_pages,
    zone_names,
)

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
class Scenario:
    """A checked file. Sizes are bytes; a pfn stays as it is written, for `pfn()`; absent keys stay absent."""

    title: str
    source: str
    kernel: str
    note: str
    patch_sets: tuple[frozenset[int], ...]  # carried out once for each, on a fresh machine
    machine: Object  # without `patches`
    steps: tuple[Object, ...]


def load(path: str | os.PathLike[str]) -> Scenario:
    """The scenario in a file. ScenarioError if it isn't one, OSError if it can't be read."""
    file = os.fspath(path)
    with open(file, "rb") as stream:
        data = stream.read()
    try:
        text = data.decode()
        document = json.loads(text, object_pairs_hook=_object, parse_constant=NotJSON, parse_float=_float)
    except UnicodeDecodeError as error:
        place, expected = f"byte {error.start}", "UTF-8"
    except json.JSONDecodeError as error:
        place, expected = f"line {error.lineno}, column {error.colno}", f"JSON ({error.msg})"
    except (RecursionError, ValueError) as error:
        place, expected = "$", f"JSON of a reasonable depth and length ({error})"
    else:
        return parse(document, file)
    raise ScenarioError(place, expected, rule="json", file=file)


def parse(document: object, file: str = "<scenario>") -> Scenario:
    """The scenario in a JSON document, which was read from `file`. ScenarioError if it isn't one."""
    try:
        found: Object = DOCUMENT(document, "$")
        for rule in RULES:
            rule(found)
    except ScenarioError as error:
        error.file = file
        raise
    sets = found.get("for_patches", [found["machine"].pop("patches", [1, 2, 3, 4, 5, 6])])
    return Scenario(
        title=found["title"],
        source=found["source"],
        kernel=found.get("kernel", ""),
        note=found.get("note", ""),
        patch_sets=tuple(dict.fromkeys(map(frozenset, sets))),
        machine=found["machine"],
        steps=tuple(found["steps"]),
    )


def size(value: int | str) -> int:
    """Bytes of a size: an integer, or digits with a binary suffix as in "68M". ValueError for others."""
    if isinstance(value, int):
        return value
    if not (found := re.fullmatch("([0-9]+)([KMGT]?)", value)):
        raise ValueError(f"{value!r} is not a size")
    return int(found[1]) << 10 * " KMGT".index(found[2] or " ")


FRAME = r"(?:addr:(0x[0-9a-fA-F]+|[0-9]+[KMGT]?)|block:([0-9]+))(?:\+([0-9]+))?"


def pfn(value: int | str) -> int:
    """The page frame number of 6144, "6144" (a key), "addr:24M+5" or "block:41". ValueError for others."""
    if isinstance(value, int) or re.fullmatch("[0-9]+", value):
        return int(value)
    if not (found := re.fullmatch(FRAME, value)):
        raise ValueError(f"{value!r} is not a pfn")
    address, block, pages = found[1] or "0", int(found[2] or 0), int(found[3] or 0)
    frame, rest = divmod(int(address, 16) if address.startswith("0x") else size(address), PAGE_SIZE)
    if rest:
        raise ValueError(f"{address} is not on a page boundary")
    return frame + block * PAGES_PER_SECTION + pages


# ---- Checks ------------------------------------------------------------------------------------------------


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
    return isinstance(value, int | float) and not isinstance(value, bool)


def integer(least: float = -math.inf, most: float = math.inf) -> Check:
    what = "an integer" + f" from {least}" * (least > -math.inf) + f" to {most}" * (most < math.inf)
    return where(what, lambda n: is_number(n) and n % 1 == 0 and least <= n <= most, lambda n, path: int(n))


def enum(words: str) -> Check:
    values = words.split()
    return where(f"one of {', '.join(values)}" if len(values) > 1 else words, lambda value: value in values)


def text(what: str, regex: str, convert: Callable[[str], Any] = str) -> Check:
    matches = re.compile(regex).fullmatch
    return where(what, lambda v: isinstance(v, str) and matches(v), lambda v, path: convert(v))


def list_of(item: Check) -> Check:
    def then(value: list[Any], path: str) -> list[Any]:
        return [item(each, f"{path}[{i}]") for i, each in enumerate(value)]

    return where("a list", lambda value: isinstance(value, list), then)


def tuple_of(what: str, *items: Check) -> Check:
    def then(value: list[Any], path: str) -> list[Any]:
        return [item(each, f"{path}[{i}]") for i, (item, each) in enumerate(zip(items, value, strict=True))]

    return where(what, lambda value: isinstance(value, list) and len(value) == len(items), then)


def object_of(then: Check) -> Check:
    return where("an object", lambda value: isinstance(value, dict), then)


def map_of(key: Check, item: Check) -> Check:
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
    return also(check, "no item twice", lambda items: all(items.count(item) == 1 for item in items))


def counted(what: str, one: Check) -> Check:
    ends = also(obj({"min?": NATURAL, "max?": NATURAL}), "min, max or both")
    bounds = also(ends, "min <= max", lambda n: n.get("min", 0) <= n.get("max", math.inf), "format")
    return any_of(f"{what}, or an object with min, max or both", one, bounds)


# ---- The format: what may stand where ----------------------------------------------------------------------


def _frame(text: str) -> str:
    pfn(text)
    return text


def _blocks(text: str) -> str:
    first, _, last = text.partition("-")
    if int(last or first) < int(first):
        raise ValueError("the last one is before the first")
    return text


TEXT, SOME = text("a text", "(?s:.*)"), text("a text that isn't empty", "(?s:.+)")
NAME = text("a name: letters, digits and _", "[A-Za-z_][A-Za-z0-9_]*")
BOOLEAN = where("true or false", lambda value: isinstance(value, bool))
NULL = where("null", lambda value: value is None)
NATURAL, POSITIVE = integer(0), integer(1)
SECONDS = where("a number of seconds from 0 on", lambda n: is_number(n) and n >= 0)
SIZE_TEXT = text("a size", "[0-9]+[KMGT]?", size)
SIZE = any_of('a size: an integer of bytes or a string such as "68M"', NATURAL, SIZE_TEXT)
COUNT, AMOUNT = counted("an integer from 0 on", NATURAL), counted('a size such as "68M"', SIZE)
FRAME_TEXT = text("a pfn", FRAME, _frame)
PFN = any_of('a pfn: an integer, or a string such as "addr:4G" or "block:41+512"', NATURAL, FRAME_TEXT)
PFN_KEY = text('a pfn such as "6144", "addr:4G" or "block:41+512"', f"[0-9]+|{FRAME}", _frame)
PFN_OR_NULL = any_of("a pfn or null", PFN, NULL)
BLOCK = text('a memory block such as "40"', "[0-9]+")
BLOCKS = text('a memory block such as "40", or several such as "32-39"', "[0-9]+(-[0-9]+)?", _blocks)
ERRNO = enum(
    "0 EPERM ENOENT EINTR EIO ENXIO EAGAIN ENOMEM EACCES EFAULT EBUSY EEXIST ENODEV EINVAL ENOSPC ERANGE"
    " EOPNOTSUPP ETXTBSY ETIMEDOUT ENDLESS"
)
ZONE, TYPE, ZONES = enum(" ".join(zone_names)), enum(" ".join(migratetype_names)), f"({'|'.join(zone_names)})"
BLOCK_STATE = text('"online ZONE", "offline" or "absent"', f"online ({ZONES}|none)|offline|absent")
VALID_ZONES = text('names of zones, or "none"', f"none|{ZONES}( {ZONES})*")
FLAGS = unique(list_of(enum("MEMORY_OFFLINE REPORT_FAILURE")))
PATCHES = unique(list_of(integer(1, 6)))
PATH = text("a path in /sys or /proc, or one such as memory40/state", "(/(sys|proc)/|[a-z])[A-Za-z0-9_./-]*")
GFP = text(
    'flags such as "GFP_KERNEL" or "GFP_USER|__GFP_MOVABLE"',
    r"GFP_(KERNEL|USER|HIGHUSER|HIGHUSER_MOVABLE|DMA32|DMA)(\|__GFP_(MOVABLE|RECLAIMABLE))*",
)
CMDLINE = text(
    "memhp_default_state=, movablecore=, kernelcore=, movable_node and panic_on_warn=1, with a space between",
    "((memhp_default_state=(offline|online|online_kernel|online_movable)|(movablecore|kernelcore)=[0-9]+[KMGT%]?"
    "|movable_node|panic_on_warn=1)( |$))*",
)
KIND = enum(
    "free pcp lru lru_pinned pagevec slab slab_compound reserved hwpoison hwpoison_buddy offline offline_ref0"
    " movable_ops balloon hugetlb hugetlb_free thp"
)
HUGE = ("hugetlb", "hugetlb_free", "thp")
EVENT = enum("MEM_GOING_ONLINE MEM_CANCEL_ONLINE MEM_ONLINE MEM_GOING_OFFLINE MEM_CANCEL_OFFLINE MEM_OFFLINE")
NOTIFIER = text('the name of a notifier, or "*"', r"\*|[A-Za-z_][A-Za-z0-9_]*")
DRIVER_STATE = enum("UNUSED PLUGGED OFFLINE OFFLINE_PARTIAL ONLINE ONLINE_PARTIAL ONLINE_MOVABLE")
REQUEST = text(
    'a request such as "PLUG 41 0 16" or "UNPLUG 41 31 1 BUSY"',
    "((PLUG|UNPLUG) [0-9]+ [0-9]+ [0-9]+|UNPLUG_ALL)( (NACK|BUSY|ERROR))?",
)

MACHINE = obj({
    "patches?": PATCHES,
    "boot_memory?": SIZE,
    "cmdline?": CMDLINE,
    "virtio_mem?": obj({
        "addr?": SIZE, "region?": SIZE, "unplug_online?": BOOLEAN,
        "block?": also(SIZE, "a power of two", lambda n: n.bit_count() == 1, "format"),
        "requested?": SIZE, "plugged?": SIZE, "busy?": BOOLEAN, "usable?": SIZE,
    }),
    "zone_of?": list_of(tuple_of("a list of start pfn, end pfn and zone", PFN, PFN, ZONE)),
})

COUNTERS = obj({"start?": PFN, "spanned?": COUNT, "present?": COUNT, "managed?": COUNT, "free?": COUNT})
SEEN = {  # after a step, and in an outcome of a race
    "plugged?": AMOUNT, "requested?": AMOUNT,
    "blocks?": map_of(BLOCKS, BLOCK_STATE),
    "zones?": map_of(ZONE, any_of("an object or null", NULL, also(COUNTERS, "at least one key"))),
    "valid_zones?": map_of(BLOCK, VALID_ZONES),
    "pageblocks?": map_of(PFN_KEY, TYPE), "nr_isolate?": map_of(ZONE, COUNT),
    "log?": list_of(SOME), "no_log?": list_of(SOME),
    "warns?": COUNT, "dumped?": list_of(PFN_OR_NULL), "panic?": BOOLEAN, "panic_text?": SOME,
    "drains?": COUNT, "migrated?": COUNT, "notified?": map_of(NOTIFIER, list_of(EVENT)),
    "driver?": obj({
        "states?": map_of(BLOCK, DRIVER_STATE), "subblocks?": map_of(BLOCK, COUNT),
        "rc?": ERRNO, "retry_ms?": any_of("milliseconds or null", COUNT, NULL),
        "broken?": BOOLEAN, "requests?": list_of(REQUEST),
    }),
}
OUTCOME = obj({"errno?": list_of(any_of("the name of an errno, or null", ERRNO, NULL)), **SEEN})
OUTCOMES = list_of(also(OUTCOME, "at least one key"))
EXPECT = obj({
    "errno?": any_of('the name of an errno, "0", or a list of them', ERRNO, list_of(ERRNO)), **SEEN,
    "text?": TEXT, "unmovable?": PFN_OR_NULL, "reachable?": OUTCOMES, "unreachable?": OUTCOMES,
})

WHAT, RANGE, ROUNDS = {"what": NAME}, {"start": PFN, "end": PFN}, {"after_rounds": NATURAL}
STEPS: dict[str, dict[str, Check]] = {
    # what a host or a user does
    "boot": {},
    "resize": {"to": SIZE},
    "write": {"path": PATH, "value": TEXT},
    "write_each": {"paths": also(list_of(PATH), "at least one path"), "value": TEXT},
    "read": {"path": PATH},
    "wait": {"seconds": SECONDS},
    "allocate": {"as": NAME, "size": SIZE, "gfp?": GFP, "order?": integer(0, 10),
                 "within?": tuple_of("a list of start and end pfn", PFN, PFN)},
    "pin": {**WHAT, "longterm?": BOOLEAN},
    "unpin": WHAT,
    "free": WHAT,
    "poison": {"pfn": PFN},
    "signal": ROUNDS,
    "unpin_after": WHAT | ROUNDS,
    "free_after": WHAT | ROUNDS,
    "device": {"busy?": BOOLEAN, "answers?": also(list_of(enum("ACK NACK BUSY ERROR")), "at least one")},
    "unbind": {},
    # inside the kernel
    "place": {"pfn": PFN, "kind": KIND, "count?": POSITIVE, "as?": NAME},
    "ref": {"pfn": PFN, "delta": integer()},
    "set_pageblock": {"pfn": PFN, "type": TYPE},
    "isolate": {**RANGE, "flags?": FLAGS, "migratetype?": TYPE, "by?": SOME},
    "undo_isolate": {**RANGE, "migratetype?": TYPE},
    "has_unmovable": {"pfn": PFN, "flags?": FLAGS, "migratetype?": TYPE},
    "alloc_contig": {**RANGE, "migratetype?": TYPE, "as?": NAME},
    "notifier": {"name": NAME, "veto?": any_of(
        "MEM_GOING_OFFLINE, MEM_GOING_ONLINE or null", enum("MEM_GOING_OFFLINE MEM_GOING_ONLINE"), NULL)},
    "fail": {"what": enum("add_memory"), "errno": ERRNO, "times?": POSITIVE},
}
ACT = {"do": TEXT, "note?": SOME}
TASKS = ("isolate", "undo_isolate", "alloc_contig", "free", "unpin", "write", "resize")
TASK = by_do({do: obj(ACT | STEPS[do]) for do in TASKS})
STEP = by_do({do: obj(ACT | keys | {"expect?": EXPECT}) for do, keys in STEPS.items()} | {
    "device": also(obj(ACT | STEPS["device"] | {"expect?": EXPECT}), "either busy or answers",
                   lambda step: ("busy" in step) != ("answers" in step)),
    "race": obj(ACT | {"tasks": also(list_of(TASK), "two tasks or more", lambda tasks: len(tasks) > 1),
                       "expect": EXPECT}),
})
DOCUMENT = obj({
    "format": enum("mmsim-scenario/1"), "title": SOME, "source": enum("recorded derived"),
    "kernel?": TEXT, "note?": TEXT,
    "for_patches?": also(unique(list_of(PATCHES)), "at least one patch set"),
    "machine": MACHINE, "steps": also(list_of(STEP), "at least one step"),
})


# ---- The rules between values: each after the words of the format ------------------------------------------


def acts(found: Object) -> Iterator[Placed]:
    """Each step, and after a race each of its tasks."""
    for i, step in enumerate(found["steps"]):
        yield f"$.steps[{i}]", step
        yield from ((f"$.steps[{i}].tasks[{j}]", task) for j, task in enumerate(step.get("tasks", ())))


def sights(path: str, step: Object) -> Iterator[Placed]:
    """What a step expects, and after it the outcomes of a race."""
    expect = step.get("expect", {})
    yield f"{path}.expect", expect
    for key in ("reachable", "unreachable"):
        yield from ((f"{path}.expect.{key}[{i}]", each) for i, each in enumerate(expect.get(key, ())))


def ranges(found: Object) -> Iterator[tuple[Placed, Placed]]:
    """The start and the end of each range."""
    for i, (start, end, _) in enumerate(found["machine"].get("zone_of", ())):
        yield (f"$.machine.zone_of[{i}][0]", start), (f"$.machine.zone_of[{i}][1]", end)
    for path, act in acts(found):
        if "start" in act:
            yield (f"{path}.start", act["start"]), (f"{path}.end", act["end"])
        if "within" in act:
            yield (f"{path}.within[0]", act["within"][0]), (f"{path}.within[1]", act["within"][1])


def check_patches(found: Object) -> None:
    # `for_patches` "replaces `machine.patches`; giving both is an error"
    patches = found["machine"].get("patches") if "for_patches" in found else None
    need(patches is None, "$.machine.patches", "no patches beside for_patches", patches, "schema")


def check_acts(found: Object) -> None:
    first, last = found["steps"][0], found["steps"][-1]
    for path, act in acts(found):
        do, kind, panic = act["do"], act.get("kind"), act.get("expect", {}).get("panic")
        # "first step only"; "A `race` is the last step."; if it panics "Such a step is the last one"
        need(do != "boot" or act is first, f"{path}.do", "boot as the first step only", do)
        need(do != "race" or act is last, f"{path}.do", "a race as the last step only", do)
        need(not panic or act is last, f"{path}.expect.panic", "a panic in the last step only", panic)
        # `virtio_mem`: "absent" by default, and then there is no device
        there = "virtio_mem" in found["machine"] or do not in ("resize", "device", "unbind")
        need(there, f"{path}.do", "a step that needs no machine.virtio_mem", do)
        # "`count` (a power of two) pages as ONE compound page"; huge pages: "(`pfn` aligned to 512)"
        one = kind != "slab_compound" or act.get("count", 1).bit_count() == 1
        need(one, f"{path}.count", "a power of two", act.get("count"))
        aligned = kind not in HUGE or pfn(act["pfn"]) % pageblock_nr_pages == 0
        need(aligned, f"{path}.pfn", f"a pfn aligned to {pageblock_nr_pages}", act.get("pfn"))


def check_names(found: Object) -> None:
    # no "names that are used before they are given"; a task can't rely on what another one of its race gives
    held, notifiers = set(), {"*"}
    for path, act in acts(found):
        what = act.get("what") if act["do"] != "fail" else None
        need(what is None or what in held, f"{path}.what", "a name that an earlier step gives", what)
        held |= {act["as"]} if "as" in act and "tasks" not in path else set()
        notifiers |= {act["name"]} if "name" in act else set()
        for place, seen in sights(path, act):
            for name in seen.get("notified", ()):
                need(name in notifiers, at(f"{place}.notified", name), "the name of a notifier so far", name)


OWNERS = {"text": "read", "unmovable": "has_unmovable", "reachable": "race", "unreachable": "race"}


def check_expect(found: Object) -> None:
    for path, step in acts(found):
        (place, expect), *outcomes = sights(path, step)
        do, errno = step["do"], expect.get("errno")
        # "of `read`"; "of `has_unmovable`"; "of `race`"
        for key in expect:
            need(OWNERS.get(key, do) == do, f"{place}.{key}", f"this after {OWNERS.get(key)} only", do)
        # `write_each`: "one name for all, or a list"; where `panic` is true it is "not looked at"
        if isinstance(errno, list) and do != "race" and not expect.get("panic"):
            fits = do == "write_each" and len(errno) == len(step["paths"])
            need(fits, f"{place}.errno", "one name, or after write_each one for each path", errno)
        # in an outcome "a list with a name or null (any) for each task"
        for place, outcome in outcomes:
            fits = len(outcome.get("errno", step["tasks"])) == len(step["tasks"])
            need(fits, f"{place}.errno", "one name or null for each task", outcome.get("errno"))


def frames(found: Object) -> Iterator[tuple[Placed, int]]:
    """The pfns that are acted on or looked at: where they stand, how they are written, their number."""
    for path, act in acts(found):
        if "pfn" in act:
            pages = act.get("count", 1) * (pageblock_nr_pages if act.get("kind") in HUGE else 1)
            yield from (((f"{path}.pfn", act["pfn"]), pfn(act["pfn"]) + i) for i in (0, pages - 1))
        for place, seen in sights(path, act):
            for key in seen.get("pageblocks", ()):
                yield (at(f"{place}.pageblocks", key), key), pfn(key)
    for start, end in ranges(found):
        if pfn(start[1]) < pfn(end[1]):
            yield from ((start, pfn(start[1])), (end, pfn(end[1]) - 1))


def check_pfns(found: Object) -> None:
    # "`start` inclusive, `end` exclusive": a range may be empty, but it can't go backwards
    for (_, start), (path, end) in ranges(found):
        need(pfn(start) <= pfn(end), path, f"an end that isn't before the start, {describe(start)}", end)
    # no "pfn outside the machine": outside the memory blocks of the boot memory and of the device's region
    spans = [(0, found["machine"].get("boot_memory", 2 << 30))]
    if (device := found["machine"].get("virtio_mem")) is not None:
        start = device.get("addr", 4 << 30)
        spans.append((start, start + device.get("region", 4 << 30)))
    for (path, written), frame in frames(found):
        block = frame // PAGES_PER_SECTION * MEMORY_BLOCK_SIZE
        known = any(start < block + MEMORY_BLOCK_SIZE and block < end for start, end in spans)
        need(known, path, "a pfn in the boot memory or in the device's region", written)


RULES = (check_patches, check_acts, check_names, check_expect, check_pfns)
