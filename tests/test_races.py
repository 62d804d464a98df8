"""Races in every interleaving: pruning loses no outcome, and claims about races hold by search."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Collection, Hashable, Sequence
from itertools import combinations_with_replacement, islice
from typing import Any

import pytest
from hypothesis import assume, given, settings
from invariants import check
from racing import MACHINES, REPORTING, idle, movable, racer_on, racers_on, random_schedule
from random_steps import REPEATABLE, patch_sets, st

from mmsim.machine.machine import Machine
from mmsim.machine.races import MachineRace, Racer, explore, race, schedules
from mmsim.mm.kernel import ChangeName
from mmsim.series import BASE, STAGES

WARN = "at mm/page_isolation.c set_migratetype_isolate"
TOO_MANY = 250  # interleavings of a random race that are tried one by one
MANY = 30  # interleavings that are not equivalent

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


def end(finished: MachineRace) -> Hashable:
    """How a race has ended, with the final state."""
    trace = finished.machine.trace
    return finished.errnos(), tuple(trace.lines(finished.first_event)), trace.panicked, final(finished.machine)


def outcomes(machine: Machine, tasks: Sequence[Racer], prune: bool, limit: int | None = None) -> set[Hashable]:
    """All ends of a race, with the final state; discards a random race of too many interleavings."""
    found: set[Hashable] = set()
    for number, finished in enumerate(islice(schedules(machine, *tasks, prune=prune), limit)):
        outcome = end(finished)
        if outcome not in found:
            check(finished.machine)
            found.add(outcome)
        if number + 1 == limit:
            finished.close()
            assume(False)
    return found


def assert_pruning_loses_nothing(machine: Machine, tasks: Sequence[Racer], limit: int | None = None) -> None:
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
    assert_pruning_loses_nothing(machine, racers(tasks))


def test_pruning_loses_no_outcome_of_offlining_that_fails() -> None:
    """Offlining a block whose fourth pageblock can't be isolated, against a caller of alloc_contig_range."""
    machine = unit()
    machine.place(3 * 512, "reserved")
    assert_pruning_loses_nothing(machine, racers([OFFLINE, ISOLATE_NEXT]))


def test_pruning_loses_no_outcome_of_a_resize() -> None:
    """The host takes a block away while the user onlines it; the kworker runs beside both."""
    machine = unit(virtio_mem={"addr": "128M", "region": "128M", "requested": "8M", "unplug_online": False})
    write = ("write", {"path": "memory1/state", "value": "online_movable"})
    assert_pruning_loses_nothing(machine, racers([("resize", {"to": 0}), write]))


ONLINE = "memory1/state=online_movable"
SMALL_RACES = {
    # Onlining, against all that can be about the same block and its zones.
    "idle, offline": [
        (ONLINE, "memory1/state=online_kernel"), (ONLINE, ONLINE), (ONLINE, "memory1/state=offline"),
        (ONLINE, "memory2/state=online"), (ONLINE, "memory2/state=online_movable"), (ONLINE, "isolate"),
        (ONLINE, "undo"), (ONLINE, "hard_offline_page=0x8007000"), (ONLINE, "auto_online_blocks=online"),
        ("memory1/state=online_kernel", "resize 0"), ("memory2/state=online_movable", "resize 4M"),
        ("resize 4M", "resize 120M"), ("resize 0", "resize 300M"),
    ],
    # Offlining that succeeds, and adding and removing memory.
    "idle": [
        ("memory1/online=0", "hard_offline_page=0x8258000"), ("memory1/state=offline", "auto_online_blocks=online"),
        ("resize 120M", "hard_offline_page=0x8007000"), ("memory1/online=1", "isolate"),
    ],
    "idle, nearly empty": [
        ("resize 0", "hard_offline_page=0x8406000"), ("resize 300M", "auto_online_blocks=online"),
        ("resize 0", "memory9/state=offline"),
    ],
    "idle, base": [("resize 4M", "resize 120M"), ("resize 300M", "auto_online_blocks=online")],
    # Memory is short: there is not room enough for what has to move, unless the third pageblock is free.
    "nearly full": [
        ("contig", "isolate third"), ("contig", "free a"), ("contig", "undo"), ("contig", "hard_offline_page=0x7000"),
    ],
    # Poisoning of pages of every kind.
    "full, Movable": [
        ("memory0/online=0", "hard_offline_page=0x258000"), ("contig y", "hard_offline_page=0x258000"),
        ("contig x", "hard_offline_page=0x406000"),
    ],
    "full, Normal": [
        ("contig y", "hard_offline_page=0xc1c000"), ("contig y", "hard_offline_page=0x258000"),
        ("isolate", "hard_offline_page=0xc1c000"), ("isolate", "hard_offline_page=0x7000"),
        ("free a", "hard_offline_page=0x7000"), ("unpin b", "hard_offline_page=0x258000"), ("free b", "unpin b"),
        ("free t", "hard_offline_page=0xc1c000"), ("free a", "free a"), ("unpin b", "unpin b"),
    ],
    "movable": [("isolate next", "isolate next"), ("isolate next", "free a"), ("free a", "hard_offline_page=0x7000")],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "pair"), [(name, pair) for name, pairs in SMALL_RACES.items() for pair in pairs], ids=str
)
def test_pruning_loses_no_outcome_of_a_small_race(name: str, pair: tuple[str, str]) -> None:
    """Races of two of all paths, which have so few interleavings that each can be tried."""
    machine = MACHINES[name]()
    assert_pruning_loses_nothing(machine, [racer_on(machine, racer) for racer in pair])


def test_pruning_loses_no_outcome_of_giving_back_what_nobody_holds_any_more() -> None:
    """Its only page is poisoned first: then it touches no page, but it would have."""
    machine = unit()
    machine.place(7, "lru", 1, "a")
    assert_pruning_loses_nothing(machine, [race("write", path="hard_offline_page", value="0x7000"), *racers([FREE])])


@pytest.mark.parametrize("name", MACHINES)
def test_no_random_schedule_ends_in_what_the_pruned_search_does_not_find(name: str) -> None:
    """Races of two of all paths, which have too many interleavings to try each."""
    machine = MACHINES[name]()
    pairs = list(combinations_with_replacement(racers_on(machine), 2))
    compared = 0
    for pair in random.Random(name).sample(pairs, 12):
        ends = [end(finished) for finished in islice(schedules(machine, *pair), MANY + 1)]
        for seed in range(4) if len(ends) <= MANY else ():
            *_, (finished, _, _) = random_schedule(machine, pair, seed)
            assert end(finished) in ends, [racer.name for racer in pair]
            compared += 1
    assert compared > 20


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
    assert_pruning_loses_nothing(machine, racers(tasks), limit=TOO_MANY)


# -- every race has an outcome -----------------------------------------------------------------------


@pytest.mark.parametrize("name", MACHINES)
@settings(REPEATABLE, max_examples=20)
@given(data=st.data())
def test_every_race_ends_in_an_outcome(name: str, data: Any) -> None:
    """Two or three of all paths, by a random schedule: what they ask for may be gone, and no step fails for that."""
    machine = MACHINES[name]()
    tasks = data.draw(st.lists(st.sampled_from(racers_on(machine)), min_size=2, max_size=3))
    *_, (finished, _, _) = random_schedule(machine, tasks, data.draw(st.integers(0, 99)))
    assert finished.machine.trace.panicked or None not in finished.errnos()
    check(finished.machine)


def test_memory_that_is_removed_meanwhile_is_busy() -> None:
    """The host takes a block away while somebody wants some of its pages."""
    machine = idle()
    where = {"start": "block:1+1024", "end": "block:1+2048"}
    found = explore(machine, race("resize", to=0), race("alloc_contig", **where))
    assert {outcome.errnos for outcome in found.outcomes} == {("0", "0"), ("0", "EBUSY")}
    removed = [o.errnos for o in found.outcomes if o.log[-2:] == (
        "Offlined Pages 32768", "alloc_contig_range: [8400, 8800) PFNs busy")]
    assert removed == [("0", "EBUSY")]


def test_what_two_paths_give_back_is_given_back_once() -> None:
    """As memory that is unmapped twice."""
    machine = movable()
    for first, second in (("free b", "free b"), ("unpin b", "unpin b"), ("free b", "unpin b")):
        found = explore(machine, racer_on(machine, first), racer_on(machine, second))
        assert {outcome.errnos for outcome in found.outcomes} == {("0", "0")}


def test_two_paths_may_hold_memory_under_one_name() -> None:
    """Nothing of it is lost."""
    machine = unit()
    ranges = [race("alloc_contig", start=start, end=start + 1024, name="x") for start in (0, 1024)]
    found = explore(machine, *ranges, observe=lambda m: tuple(m.pages.runs(m.pages.held("x"))))
    assert {sum(end - start for start, end in outcome.observed) for outcome in found.outcomes} == {2048}


def test_a_page_that_is_poisoned_on_its_way_to_the_buddy_never_gets_there() -> None:
    """It has no owner any more, and is on no list yet."""
    machine = movable()
    poison = race("write", path="hard_offline_page", value="0x7000")
    found = explore(machine, racer_on(machine, "free a"), poison, observe=lambda m: m.kernel.memmap.kind(7).name)
    assert {outcome.observed for outcome in found.outcomes} == {"hwpoison", "hwpoison_buddy"}


def test_what_is_moved_to_and_fro_is_a_loop_without_end() -> None:
    """Pageblocks that somebody gives back are room for the very pages that have to leave the block."""
    machine = movable()
    offline, undo = racer_on(machine, "memory0/state=offline"), racer_on(machine, "undo")
    ends = {finished.errnos() for finished in islice(schedules(machine, offline, undo), 40)}
    assert ("ENDLESS", "0") in ends


@pytest.mark.parametrize(
    ("racer", "what"),
    [
        (race("free", name="nobody"), "nothing is held"),
        (race("unpin", name="a"), "not pinned"),
        (race("resize", to="4M"), "no virtio-mem device"),
        (race("isolate", start=1, end=512), "misaligned"),
        (race("alloc_contig", start=0, end="block:9"), "no memory there"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_what_can_not_be_asked_for_is_refused_before_the_race(racer: Racer, what: str) -> None:
    """However the race would go, and whatever stands before it."""
    machine = movable()
    with pytest.raises(ValueError, match=what):
        explore(machine, racer_on(machine, "undo"), racer)


def test_a_size_that_the_device_can_not_have_is_refused_before_the_race() -> None:
    """The region has 384 MiB."""
    with pytest.raises(ValueError, match="requested size 0x140000000 is not between 0 and the region's 0x18000000"):
        explore(idle(), race("resize", to="5G"))


def test_another_path_can_come_into_the_middle_of_a_roll_back() -> None:
    """The second isolation gets the first pageblock back already, but not yet the next."""
    machine = unit()
    machine.place(1024, "reserved")
    first, second = (race("isolate", start=0, end=end) for end in (1536, 1024))
    found = explore(machine, first, second, observe=lambda m: sum(e.cpu for e in m.trace.since(0, "drain")))
    assert ("EBUSY", "EBUSY", 1) in {(*outcome.errnos, outcome.observed) for outcome in found.outcomes}


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
