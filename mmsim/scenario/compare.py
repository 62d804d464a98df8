"""What a scenario can expect of a machine after a step, and how that is compared with what is seen.

Each key of `expect` is one question, asked of a `Sight`; `COMPARE` has them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mmsim.machine.machine import Machine
from mmsim.machine.sizes import pfn
from mmsim.mm.mmzone import SECTION_SHIFT, migratetype_names, zone_names
from mmsim.mm.zones import valid_zones
from mmsim.sim.errnos import errorcode
from mmsim.sim.log import Event

Step = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """Where the model and a scenario part: the JSON path of the expectation, and both values."""

    path: str
    expected: Any
    found: Any

    def __str__(self) -> str:
        return f"{self.path}: expected {self.expected!r}, found {self.found!r}"


@dataclass(frozen=True)
class Sight:
    """What can be seen of a machine after a step; `events` are those of the step."""

    machine: Machine
    errno: Any
    panic: str | None
    events: Sequence[Event]
    value: Any = None

    def select(self, *kinds: str) -> list[Event]:
        """The step's events of these kinds."""
        return [event for event in self.events if event.kind in kinds]

    def log(self) -> list[str]:
        """The step's lines of the kernel log."""
        return [e.text for e in self.events if e.logged]

    def block(self, number: int) -> str:
        """A memory block as `blocks` names it."""
        k = self.machine.kernel
        block = k.memory_blocks.get(number)
        if block is None:
            return "absent"
        return f"online {valid_zones(k, block)}" if block.state == "online" else block.state

    def zone(self, name: str) -> dict[str, int]:
        """A zone's numbers; an empty zone starts nowhere."""
        zone = self.machine.kernel.zones[zone_names.index(name)]
        start = {"start": zone.zone_start_pfn} if zone.populated else {}
        return {**start, "spanned": zone.spanned_pages, "present": zone.present_pages,
                "managed": zone.managed_pages, "free": zone.nr_free_pages}

    def notified(self, name: str) -> list[str]:
        """The actions that a notifier was told (`*`: that were sent)."""
        return [e.data[1] for e in self.select("notify") if isinstance(e.data, tuple) and e.data[0] == name]

    def driver(self, key: str) -> Any:
        """One of the driver's facts."""
        driver = self.machine.driver
        assert driver is not None
        if key == "requests":
            return [event.text for event in self.select("request")]
        if key == "rc":
            return errorcode[-driver.rc] if driver.rc else "0"
        if key == "retry_ms":
            return driver.timer[1] if driver.timer else None
        return driver.broken


def in_order(wanted: Sequence[str], text: str) -> bool:
    """Does the text hold these pieces in this order, not overlapping?"""
    position = 0
    for piece in wanted:
        position = text.find(piece, position)
        if position < 0:
            return False
        position += len(piece)
    return True


def counted(expected: Any, found: int) -> bool:
    """An integer, or bounds."""
    if isinstance(expected, dict):
        return bool(expected.get("min", found) <= found <= expected.get("max", found))
    return bool(expected == found)


def block_numbers(key: str) -> range:
    """The blocks of a key such as `32-39`."""
    first, _, last = key.partition("-")
    return range(int(first), int(last or first) + 1)


def compare(expect: Step, see: Sight, path: str) -> Iterator[Difference]:
    """All differences between expectations and what is seen."""
    for key, expected in expect.items():
        yield from COMPARE[key](expected, see, f"{path}.{key}")


def one(found: Any, expected: Any, path: str, holds: bool | None = None) -> Iterator[Difference]:
    """A difference, unless the expectation holds (by default: is equal)."""
    if not (expected == found if holds is None else holds):
        yield Difference(path, expected, found)


def number(found: int, expected: Any, path: str) -> Iterator[Difference]:
    """The same for what may have bounds."""
    return one(found, expected, path, counted(expected, found))


def each(expected: Step, path: str, check: Callable[[str, Any, str], Iterator[Difference]]) -> Iterator[Difference]:
    """Check every key of an object."""
    for key, value in expected.items():
        yield from check(key, value, f"{path}.{key}")


def compare_errno(expected: Any, see: Sight, path: str) -> Iterator[Difference]:
    """A name, or for a race one for each task (None: any)."""
    if see.panic is None or isinstance(see.errno, tuple):
        found = list(see.errno) if isinstance(see.errno, tuple) else see.errno
        same = expected == found
        if isinstance(expected, list) and isinstance(see.errno, tuple):
            same = len(expected) == len(found) and all(e in (None, f) for e, f in zip(expected, found, strict=True))
        yield from one(found, expected, path, same)


def compare_blocks(expected: Step, see: Sight, path: str) -> Iterator[Difference]:
    """Each block of each range."""
    return each(expected, path, lambda key, value, at: (
        d for n in block_numbers(key) for d in one(see.block(n), value, at)
    ))


def compare_zones(expected: Step, see: Sight, path: str) -> Iterator[Difference]:
    """The given numbers of the given zones; for an empty zone (None) that no page is present."""
    for name, wanted in expected.items():
        found = see.zone(name)
        if wanted is None:
            yield from one(found, wanted, f"{path}.{name}", found["present"] == 0)
            continue
        for key, value in wanted.items():
            if key == "start":
                yield from one(found.get(key), pfn(value), f"{path}.{name}.{key}")
            else:
                yield from number(found[key], value, f"{path}.{name}.{key}")


def compare_driver(expected: Step, see: Sight, path: str) -> Iterator[Difference]:
    """States and plugged subblocks of blocks, and the worker's facts."""
    driver = see.machine.driver
    if driver is None:
        yield Difference(path, expected, "no driver")
        return
    for key, value in expected.items():
        if key == "states":
            yield from each(value, f"{path}.{key}", lambda n, want, at: one(
                driver.mb_state.get(int(n), "UNUSED"), want, at))
        elif key == "subblocks":
            yield from each(value, f"{path}.{key}", lambda n, want, at: number(
                sum(driver.sb_plugged(int(n))), want, at))
        else:
            found = see.driver(key)
            yield from one(found, value, f"{path}.{key}", counted(value, found) if key == "retry_ms" else None)


def page_type(see: Sight, key: str) -> str:
    """The migrate type of a page's pageblock; `absent` where no memory is."""
    memmap, page = see.machine.kernel.memmap, pfn(key)
    if page >> SECTION_SHIFT not in memmap.sections:
        return "absent"
    return migratetype_names[memmap.get_pageblock_migratetype(page)]


Compare = Callable[[Any, Sight, str], Iterator[Difference]]


def compare_device(name: str) -> Compare:
    """A size of the device, in bytes."""
    def check(expected: Any, see: Sight, path: str) -> Iterator[Difference]:
        device = see.machine.device
        if device is None:
            return one("no device", expected, path)
        return number(getattr(device, name), expected, path)

    return check


COMPARE: dict[str, Compare] = {
    "errno": compare_errno,
    "text": lambda want, see, at: one(see.value.strip() if isinstance(see.value, str) else None, want.strip(), at),
    "plugged": compare_device("size"),
    "requested": compare_device("requested_size"),
    "blocks": compare_blocks,
    "zones": compare_zones,
    "valid_zones": lambda want, see, at: each(want, at, lambda n, value, here: one(
        see.machine.attempt("read", f"memory{n}/valid_zones").value, value, here)),
    "pageblocks": lambda want, see, at: each(want, at, lambda page, value, here: one(
        page_type(see, page), value, here)),
    "nr_isolate": lambda want, see, at: each(want, at, lambda name, value, here: number(
        see.machine.kernel.zones[zone_names.index(name)].nr_isolate_pageblock, value, here)),
    "log": lambda want, see, at: one(see.log(), want, at, in_order(want, "\n".join(see.log()))),
    "no_log": lambda want, see, at: one(see.log(), want, at, not any(w in "\n".join(see.log()) for w in want)),
    "warns": lambda want, see, at: number(len(see.select("warn")), want, at),
    "dumped": lambda want, see, at: one(
        [e.data for e in see.select("dump") if e.text == "unmovable page"],
        [page if page is None else pfn(page) for page in want], at),
    "panic": lambda want, see, at: one(see.panic is not None, want, at),
    "panic_text": lambda want, see, at: one(see.panic, want, at, want in "\n".join([see.panic or "", *see.log()])),
    "drains": lambda want, see, at: number(len(see.select("drain")), want, at),
    "notified": lambda want, see, at: each(want, at, lambda name, value, here: one(
        see.notified(name), value, here)),
    "driver": compare_driver,
    "unmovable": lambda want, see, at: one(see.value, want if want is None else pfn(want), at),
    "migrated": lambda want, see, at: number(
        sum(e.data[2] for e in see.select("migrate") if isinstance(e.data, tuple)), want, at),
}
