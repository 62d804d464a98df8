"""Races in every interleaving: pruning loses no outcome, and claims about races hold by search."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import assume, given, settings
from invariants import check
from random_steps import REPEATABLE, patch_sets, st

from mmsim.machine.machine import Machine
from mmsim.machine.races import Racer, explore, race, schedules
from mmsim.mm.kernel import ChangeName
from mmsim.series import BASE, STAGES

REPORTING = ("MEMORY_OFFLINE", "REPORT_FAILURE")
WARN = "at mm/page_isolation.c set_migratetype_isolate"
TOO_MANY = 250  # interleavings of a random race that are tried one by one

Race = Sequence[tuple[str, dict[str, Any]]]


def unit(zone: str = "Movable", patches: Collection[ChangeName] = STAGES[-1], **keys: Any) -> Machine:
    """One memory block, all of it in one zone, all of it free."""
    return Machine(patches=patches, boot_memory="128M", zone_of=[("block:0", "block:1", zone)], **keys)


def racers(tasks: Race) -> list[Racer]:
    """The paths of a race."""
    return [race(do, **keys) for do, keys in tasks]


def final(machine: Machine) -> Hashable:
    """The state in which a race leaves a machine: every file, every page and every pageblock."""
    state = hashlib.sha256()
    for section in machine.kernel.memmap.sections.values():
        state.update(bytes(section.state) + bytes(section.migratetypes) + section.zones)
    files = tuple(
        (path, machine.read(path)) for path in machine.files() if "pagetypeinfo" in path or "state" in path
    )
    isolated = tuple(zone.nr_isolate_pageblock for zone in machine.kernel.zones)
    device = (machine.device.size, machine.device.requested_size) if machine.device is not None else None
    driver = str(sorted(machine.driver.mb_state.items())) if machine.driver is not None else None
    return state.hexdigest(), files, isolated, device, driver


def outcomes(machine: Machine, tasks: Race, prune: bool, limit: int | None = None) -> set[Hashable]:
    """All ends of a race, with the final state; discards a random race of too many interleavings."""
    found: set[Hashable] = set()
    first = len(machine.trace)
    for number, finished in enumerate(islice(schedules(machine, *racers(tasks), prune=prune), limit)):
        trace = finished.machine.trace
        outcome = finished.errnos(), tuple(trace.lines(first)), trace.panicked, final(finished.machine)
        if outcome not in found:
            check(finished.machine)
            found.add(outcome)
        if number + 1 == limit:
            finished.close()
            assume(False)
    return found


def assert_pruning_loses_nothing(machine: Machine, tasks: Race, limit: int | None = None) -> None:
    """The same outcomes, with the same final states, whether or not equivalent interleavings are left out."""
    every = outcomes(machine, tasks, prune=False, limit=limit)
    assert outcomes(machine, tasks, prune=True) == every


# -- pruned and unpruned -----------------------------------------------------------------------------

ISOLATE = ("isolate", {"start": 0, "end": 1024, "flags": REPORTING})
ISOLATE_NEXT = ("isolate", {"start": 512, "end": 1536})
ISOLATE_LAST = ("isolate", {"start": 512, "end": 1024, "flags": REPORTING})
CONTIG = ("alloc_contig", {"start": 0, "end": 512})
UNDO = ("undo_isolate", {"start": 0, "end": 1024})
FREE = ("free", {"name": "a"})
UNPIN = ("unpin", {"name": "a"})
OFFLINE = ("write", {"path": "memory0/state", "value": "offline"})
AUTO = ("write", {"path": "auto_online_blocks", "value": "online"})


@pytest.mark.parametrize(
    "tasks",
    [
        (ISOLATE, ISOLATE),
        (ISOLATE, ISOLATE_NEXT),
        (ISOLATE, UNDO),
        (ISOLATE, ISOLATE_LAST, UNPIN),
        (CONTIG, UNDO),
        (CONTIG, UNPIN),
        (CONTIG, FREE),
        (ISOLATE, FREE),
        (UNDO, FREE),
        (ISOLATE, AUTO),
        (UNDO, UNDO),
    ],
    ids=lambda tasks: "-".join(do for do, _ in tasks),
)
@pytest.mark.parametrize("patches", [(), (4,), STAGES[-1]])
def test_pruning_loses_no_outcome(patches: Sequence[int], tasks: Race) -> None:
    """Small races around one page that is pinned, in two pageblocks of ZONE_MOVABLE."""
    machine = unit(patches=patches)
    machine.place(700, "lru", 2, "a")
    if any(do == "unpin" for do, _ in tasks):
        machine.pin("a")
    assert_pruning_loses_nothing(machine, tasks)


def test_pruning_loses_no_outcome_of_offlining_that_fails() -> None:
    """Offlining a block whose fourth pageblock can't be isolated, against a caller of alloc_contig_range."""
    machine = unit()
    machine.place(3 * 512, "reserved")
    assert_pruning_loses_nothing(machine, [OFFLINE, ISOLATE_NEXT])


def test_pruning_loses_no_outcome_of_a_resize() -> None:
    """The host takes a block away while the user onlines it; the kworker runs beside both."""
    machine = unit(virtio_mem={"addr": "128M", "region": "128M", "requested": "8M", "unplug_online": False})
    write = ("write", {"path": "memory1/state", "value": "online_movable"})
    assert_pruning_loses_nothing(machine, [("resize", {"to": 0}), write])


def test_a_race_begins_with_fresh_rate_limits() -> None:
    """It is a step of its own: what was left out before it is said in it."""
    machine = unit()
    machine.place(5, "slab")
    for _ in range(12):
        machine.trace.ratelimit("alloc_contig_range")
    (outcome,) = explore(machine, race("alloc_contig", start=0, end=1024)).outcomes
    assert outcome.log == (
        "alloc_contig_range: 2 callbacks suppressed", "alloc_contig_range: [0, 400) PFNs busy")


pageblocks = st.integers(0, 3).map(lambda number: number << 9)
short_ranges = st.builds(
    lambda start, length: {"start": start, "end": start + (length << 9)}, pageblocks, st.integers(1, 2)
)
names = st.sampled_from(["a", "b"]).map(lambda name: {"name": name})
tasks_of_all_kinds = st.one_of(
    st.builds(
        lambda where, flags: ("isolate", {**where, "flags": flags}),
        short_ranges,
        st.sampled_from([(), REPORTING]),
    ),
    short_ranges.map(lambda where: ("undo_isolate", where)),
    short_ranges.map(lambda where: ("alloc_contig", where)),
    names.map(lambda keys: ("free", keys)),
    names.map(lambda keys: ("unpin", keys)),
    st.just(OFFLINE),
)
kinds = st.sampled_from(["lru", "lru_pinned", "slab", "movable_ops", "pagevec", "offline", "reserved"])
places = st.tuples(st.integers(0, 5).map(lambda number: number * 300), kinds, st.integers(1, 2))


@settings(REPEATABLE, max_examples=35)
@given(
    zone=st.sampled_from(["Movable", "Normal"]),
    patches=patch_sets,
    first=places,
    second=places,
    isolated=st.none() | short_ranges,
    tasks=st.lists(tasks_of_all_kinds, min_size=2, max_size=3),
)
def test_pruning_loses_no_outcome_of_a_random_race(
    zone: str, patches: frozenset[ChangeName], first: Any, second: Any, isolated: Any, tasks: Race
) -> None:
    """Two or three paths over four pageblocks with a few pages in them, some isolated before."""
    machine = unit(zone, patches=patches)
    machine.place(63 << 9, "reserved")  # so that offlining the block fails, in the end
    for name, (pfn, kind, count) in (("a", first), ("b", second)):
        assume(machine.kernel.memmap.kind(pfn).buddy and machine.kernel.memmap.kind(pfn + count - 1).buddy)
        machine.place(pfn, kind, count, name)
        if not machine.pages.held(name).pins:
            machine.pin(name, longterm=False)
    if isolated is not None:
        machine.attempt("isolate", **isolated)
    used = [keys["name"] for do, keys in tasks if "name" in keys]
    assume(len(used) == len(set(used)))
    assert_pruning_loses_nothing(machine, tasks, limit=TOO_MANY)


# -- the claims of the series ------------------------------------------------------------------------


@pytest.mark.parametrize("zone", ["Movable", "Normal"])
@pytest.mark.parametrize("patches", [(), (1,), (3,), (4,), (1, 3), (1, 4), (3, 4), (1, 3, 4)])
def test_what_two_isolations_can_reach(patches: Sequence[int], zone: str) -> None:
    """Only without 1 and 3 it warns, and in ZONE_MOVABLE only; only 4 without 1 dumps a NULL page."""
    found = explore(unit(zone, patches), *racers([ISOLATE, ISOLATE]))
    can_warn = bool(found.reaching(WARN))
    dumps_null = any(outcome.panic and "dump_page" in outcome.panic for outcome in found.outcomes)
    assert can_warn == (zone == "Movable" and not {1, 3} & set(patches))
    assert dumps_null == (4 in patches and 1 not in patches)


def test_at_the_base_nothing_dumps_a_null_page() -> None:
    """Not even with three paths; the WARN is the worst that can happen, once a boot."""
    found = explore(unit(patches=()), *racers([ISOLATE, ISOLATE_NEXT, CONTIG]))
    assert found.reaching(WARN)
    assert not any(outcome.panic for outcome in found.outcomes)
    assert all(sum(WARN in line for line in outcome.log) <= 1 for outcome in found.outcomes)


@pytest.mark.parametrize(
    ("patches", "reachable"), [((5,), True), ((1, 5), False), ((3, 5), False), ((1, 3, 5), False)]
)
def test_unplug_against_offlining_warns_only_without_1_and_3(patches: Sequence[int], reachable: bool) -> None:
    """Patch 5 lets virtio-mem isolate parts of ZONE_MOVABLE, while the user offlines the same block."""
    machine = Machine(
        patches=patches,
        boot_memory="64M",
        zone_of=[],
        virtio_mem={"addr": "128M", "region": "128M", "requested": "128M"},
    )
    machine.write("memory1/state", "online_movable")
    tasks: Race = [("resize", {"to": "124M"}), ("write", {"path": "memory1/state", "value": "offline"})]
    found = (
        WARN in "\n".join(finished.machine.trace.lines()) for finished in schedules(machine, *racers(tasks))
    )
    assert any(found) == reachable


def test_before_patch_5_unplug_leaves_zone_movable_alone() -> None:
    """The same race at the base: the driver never isolates anything there, so nothing can warn."""
    machine = Machine(
        patches=(),
        boot_memory="64M",
        zone_of=[],
        virtio_mem={"addr": "128M", "region": "128M", "requested": "128M"},
    )
    machine.write("memory1/state", "online_movable")
    tasks: Race = [("resize", {"to": "124M"}), ("write", {"path": "memory1/state", "value": "offline"})]
    assert not any(
        WARN in "\n".join(finished.machine.trace.lines()) for finished in schedules(machine, *racers(tasks))
    )


@pytest.mark.parametrize(("base", "errnos"), [((), {"0", "ENDLESS"}), (BASE, {"0"})])
def test_a_page_freed_between_isolation_and_drain(base: Collection[ChangeName], errnos: set[str]) -> None:
    """It ends on a per-cpu list that nobody drains any more, unless offlining drains again in its loop."""
    machine = unit(base=base)
    machine.place(63 << 9, "lru", 1, "a")
    found = explore(machine, *racers([OFFLINE, FREE]))
    assert {outcome.errnos[0] for outcome in found.outcomes} == errnos
