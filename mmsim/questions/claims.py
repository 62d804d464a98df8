"""Facts in the words of somebody who knows the chapter and not the format of scenarios: what each is about, what it
says, how a race ends, and which of several runs is meant."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from mmsim.draw.race import shown as returned
from mmsim.mm.kernel import ChangeName
from mmsim.questions.data import Filled, Scene
from mmsim.questions.facts import Fact, shown, single
from mmsim.questions.words import place, zone
from mmsim.scenario.compare import block_numbers
from mmsim.sim.cpu import ENDLESS

Object = dict[str, Any]

ABOUT = {
    "log": "the log says", "no_log": "the log doesn't say", "warns": "warnings in the log",
    "dumped": "pages given to dump_page()", "drains": "times that the CPUs' own lists were drained",
    "migrated": "pages migrated", "panic": "a kernel panic", "unmovable": "the page that can't be moved",
    "plugged": "how much is plugged", "requested": "how much the host asks for", "text": "what the file says",
    "panic_text": "what the panic says",
    "outcomes": "different ways to end", "schedules": "orders that were run", "orders": "orders in all",
}  # fmt: skip
ZONES = {
    "free": "free pages in {}", "managed": "pages that {} manages", "present": "pages present in {}",
    "spanned": "pages from the first to the last of {}", "start": "the first page of {}",
}  # fmt: skip
DRIVER = {
    "requests": "what the driver asks of its device", "rc": "what the driver's work ended with",
    "broken": "the driver has given up", "retry_ms": "milliseconds until the driver tries again",
}  # fmt: skip
BLOCKS = {
    "blocks": "state of {}", "valid_zones": "zones that {} may go to", "states": "what the driver notes of {}",
    "subblocks": "plugged subblocks of {}",
}  # fmt: skip
ENDS = {"allocate": "how the request for memory ends", "alloc_contig": "how alloc_contig_range() ends",
        "isolate": "how the isolation ends", "write": "how the write ends", "read": "how the read ends"}  # fmt: skip
ORDINALS = ("the first", "the second", "the third", "the fourth")
PLAIN = {None: "any", "0": "success", ENDLESS: "it tries without end", "a panic": "the kernel panics"}
KERNEL_FRAME = "---"  # how the lines around a warning begin


def about(fact: Fact, scene: Scene) -> str:
    """What a fact is about."""
    key, *rest = fact.keys
    if key == "errno":
        return ending_of(scene)
    if key == "pageblocks":
        return f"label of the pageblock at {place(rest[0])}"
    if key == "nr_isolate":
        return f"isolated pageblocks in {zone(rest[0])}"
    if key == "zones":
        return ZONES[rest[1]].format(zone(rest[0])) if len(rest) > 1 else f"pages in {zone(rest[0])}"
    if key == "notified":
        return f"what {'the notifiers were' if rest == ['*'] else f'{rest[0]} was'} told"
    if key in BLOCKS or (key == "driver" and rest[0] in BLOCKS):
        return BLOCKS[rest[0] if key == "driver" else key].format(blocks(rest[-1]))
    return DRIVER[rest[0]] if key == "driver" else ABOUT[key]


def blocks(numbers: str) -> str:
    """The memory blocks of a key such as `32-39`."""
    some = block_numbers(numbers)
    return " to ".join(f"memory{number}" for number in dict.fromkeys((some[0], some[-1])))


def ending_of(scene: Scene) -> str:
    """What an errno is about: who gets it, or what ends with it."""
    last = scene.steps[-1]
    if scene.race:
        return f"what {listed(racers(scene))} get"
    by = last.get("by", "somebody")
    return f"what {by} gets" if by != "somebody" else ENDS.get(last["do"], "how the last step ends")


def racers(scene: Scene) -> list[str]:
    """The names of those who race; two that have the same are the first and the second."""
    names = [task.get("by") or task.get("note") or task["do"] for task in (scene.race or {}).get("tasks", ())]
    return names if len(set(names)) == len(names) else [*ORDINALS[: len(names)]]


def value(fact: Fact, given: Any, scene: Scene) -> str:
    """What a fact says, or what is so instead."""
    key = fact.keys[0]
    if key == "errno" or fact.keys[-1] == "rc":
        return errnos(given, racers(scene))
    if key in ("log", "no_log"):
        return quoted(given)
    if key == "unmovable":
        return page(given)
    if key == "dumped":
        return ", ".join(page(each) for each in given) or "none"
    if key == "unmovable":
        return "none" if given is None else page(given)
    if isinstance(given, str):
        return re.sub(" +", " ", given)
    return shown(fact.what, given)


def errnos(given: Any, names: Sequence[str]) -> str:
    """An errno as a kernel function returns it; of a race one for each task that is told of."""
    if not isinstance(given, list | tuple):
        return PLAIN.get(given) or returned(given)
    some = [f"{errnos(each, ())} for {name}" for name, each in zip(names, given, strict=True) if each is not None]
    return listed(some)


def quoted(lines: Sequence[str] | str) -> str:
    """Lines of a log, or pieces of some, without the frame of a warning."""
    some = [lines] if isinstance(lines, str) else [line for line in lines if not line.startswith(KERNEL_FRAME)]
    return "; ".join(f"“{line}”" for line in some) or "nothing"


def page(given: int | str | None) -> str:
    """A page that was dumped or found; `NULL` for none."""
    return "NULL" if given is None else f"the one at {place(given)}"


def ending(outcome: Object, scene: Scene) -> str:
    """How a race can end: `1 warning in the log and a kernel panic`."""
    return listed([part(fact, scene) for fact in single(outcome)])


def part(fact: Fact, scene: Scene) -> str:
    """One fact of an outcome."""
    key, said = fact.keys[0], fact.said
    if key == "errno":
        return errnos(said, racers(scene))
    if key == "panic":
        return "a kernel panic" if said else "no panic"
    if key == "warns":
        return "a warning" if said == 1 else f"{shown('', said)} warning{'s' if isinstance(said, int) else ''}"
    if key == "dumped":
        return f"a dump of {value(fact, said, scene).replace('the one', 'the page')}" if said else "no dump"
    if key in ("log", "no_log"):
        return f"{quoted(said)} {'not ' * (key == 'no_log')}in the log"
    return f"{about(fact, scene)}: {value(fact, said, scene)}"


def listed(words: Sequence[str]) -> str:
    """`a, b and c`."""
    *first, last = words or ["nothing"]
    return f"{', '.join(first)} and {last}" if first else last


# -- one of several runs -----------------------------------------------------------------------------


def run_of(question: Filled, case: str) -> str:
    """Which run is meant: as its case is `called`, or else by what fills its gaps, such as `with patches 1 and 3`.

    "" if there is but one run.
    """
    gaps = question.data.get("cases", {}).get(case, {})
    if "called" in gaps:
        return str(gaps["called"])
    return ", ".join(kernel(each) if name == "patches" else zone(each) if name == "zone" else shown("", each)
                     for name, each in gaps.items())  # fmt: skip


def kernel(patches: Collection[ChangeName]) -> str:
    """A kernel by its patches: `before the series`, `with patch 1`, `with patches 1 to 4`; other changes by name."""
    names = sorted(map(str, patches))
    if not names:
        return "before the series"
    if len(names) == 1:
        return f"with patch {names[0]}"
    if len(names) > 2 and names == list(map(str, range(1, len(names) + 1))):
        return f"with patches 1 to {len(names)}"
    return f"with patches {listed(names)}"
