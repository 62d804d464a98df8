"""Scenario files, format 1: a JSON document becomes a `Scenario`, or a `ScenarioError` names the place.

The format as tables of checks; the rules between values are in `rules`. Nothing in a file is evaluated.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from mmsim.machine.boot import CORE_SIZE
from mmsim.machine.sizes import FRAME, pfn, size
from mmsim.mm.mmzone import migratetype_names, zone_names
from mmsim.scenario.checks import (
    NATURAL,
    Check,
    NotJSON,
    Object,
    ScenarioError,
    _float,
    _object,
    also,
    any_of,
    by_do,
    counted,
    enum,
    integer,
    is_number,
    list_of,
    map_of,
    obj,
    text,
    tuple_of,
    unique,
    where,
)
from mmsim.scenario.rules import RULES
from mmsim.series import PATCHES, STAGES


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
POSITIVE = integer(1)
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
PATCH_SET = unique(list_of(integer(1, len(PATCHES))))
PATH = text(
    "a path in /sys or /proc, or one such as memory40/state",
    "(/(sys|proc)/[A-Za-z0-9_./-]|[a-z])[A-Za-z0-9_./-]*",
)
GFP = text(
    'flags such as "GFP_KERNEL" or "GFP_USER|__GFP_MOVABLE"',
    r"GFP_(KERNEL|USER|HIGHUSER|HIGHUSER_MOVABLE|DMA32|DMA)(\|__GFP_(MOVABLE|RECLAIMABLE))*",
)
CMDLINE = text(
    "memhp_default_state=, movablecore=, kernelcore=, movable_node and panic_on_warn=1, with a space between",
    f"((memhp_default_state=(offline|online|online_kernel|online_movable)|(movablecore|kernelcore)={CORE_SIZE}"
    "|movable_node|panic_on_warn=1)( |$))*",
)
KIND = enum(
    "free pcp lru lru_pinned pagevec slab slab_compound reserved hwpoison hwpoison_buddy offline offline_ref0"
    " movable_ops balloon hugetlb hugetlb_free thp"
)
EVENT = enum("MEM_GOING_ONLINE MEM_CANCEL_ONLINE MEM_ONLINE MEM_GOING_OFFLINE MEM_CANCEL_OFFLINE MEM_OFFLINE")
NOTIFIER = text('the name of a notifier, or "*"', r"\*|[A-Za-z_][A-Za-z0-9_]*")
DRIVER_STATE = enum("UNUSED PLUGGED OFFLINE OFFLINE_PARTIAL ONLINE ONLINE_PARTIAL ONLINE_MOVABLE")
REQUEST = text(
    'a request such as "PLUG 41 0 16" or "UNPLUG 41 31 1 BUSY"',
    "((PLUG|UNPLUG) [0-9]+ [0-9]+ [0-9]+|UNPLUG_ALL)( (NACK|BUSY|ERROR))?",
)

MACHINE = obj({
    "patches?": PATCH_SET,
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
    "for_patches?": also(unique(list_of(PATCH_SET)), "at least one patch set"),
    "machine": MACHINE, "steps": also(list_of(STEP), "at least one step"),
})


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
    sets = found.get("for_patches", [found["machine"].pop("patches", STAGES[-1])])
    return Scenario(
        title=found["title"],
        source=found["source"],
        kernel=found.get("kernel", ""),
        note=found.get("note", ""),
        patch_sets=tuple(dict.fromkeys(map(frozenset, sets))),
        machine=found["machine"],
        steps=tuple(found["steps"]),
    )
