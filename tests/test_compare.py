"""What a scenario can expect, one key at a time."""

import pytest

from mmsim import Machine
from mmsim.scenario.compare import COMPARE, Difference, Sight, block_numbers, compare, counted, in_order
from mmsim.scenario.format import SEEN


@pytest.fixture
def look(unit):
    """A machine, and the paths of the differences after a call on it."""

    def after(expect, *call, prepare=lambda machine: None):
        machine = unit()
        prepare(machine)
        result = machine.attempt(*call or ("read", "memory1/state"))
        see = Sight(machine, result.errno, result.panic, result.events, result.value)
        return [d.path for d in compare(expect, see, "$")]

    return after


@pytest.mark.parametrize(("expected", "found", "holds"), [
    (3, 3, True), (3, 4, False), ({"min": 3}, 3, True), ({"min": 3}, 2, False), ({"max": 3}, 3, True),
    ({"max": 3}, 4, False), ({"min": 1, "max": 3}, 2, True), ({"min": 1, "max": 3}, 0, False),
    ({"min": 1, "max": 3}, 4, False)])
def test_bounds(expected, found, holds):
    assert counted(expected, found) is holds


@pytest.mark.parametrize(("pieces", "holds"), [
    ([], True), (["one"], True), (["one", "two"], True), (["two", "one"], False), (["one", "one"], False),
    (["ne\ntw"], True), (["on", "e"], True), (["one", "ne"], False), (["three"], False)])
def test_pieces_of_the_log_are_in_order_and_do_not_overlap(pieces, holds):
    assert in_order(pieces, "one\ntwo") is holds


@pytest.mark.parametrize(("key", "numbers"), [("40", [40]), ("32-34", [32, 33, 34]), ("5-5", [5])])
def test_ranges_of_blocks(key, numbers):
    assert list(block_numbers(key)) == numbers


def test_the_blanks_around_a_file_do_not_count():
    machine = Machine(boot_memory="4M", zone_of=[(0, 1024, "Normal")])
    text = machine.read("/proc/buddyinfo")
    assert text.endswith("1 "), "the kernel prints a blank after each number"
    assert list(compare({"text": text}, Sight(machine, "0", None, (), text), "$")) == []
    assert [d.path for d in compare({"text": ""}, Sight(machine, "ENOENT", None, (), None), "$")] == ["$.text"]


@pytest.mark.parametrize(("expect", "paths"), [
    ({"errno": "0"}, []),
    ({"errno": "EIO"}, ["$.errno"]),
    ({"text": "online\n"}, []),
    ({"text": "onlin"}, ["$.text"]),
    ({"blocks": {"0": "online Normal", "1": "online Movable", "2-9": "absent"}}, []),
    ({"blocks": {"0-2": "online Normal"}}, ["$.blocks.0-2", "$.blocks.0-2"]),
    ({"zones": {"Movable": {"start": "block:1", "present": 32768, "free": {"min": 1}}, "DMA": None}}, []),
    ({"zones": {"Movable": {"start": 1, "free": {"max": 1}}}}, ["$.zones.Movable.start", "$.zones.Movable.free"]),
    ({"zones": {"DMA": {"present": 0, "spanned": 0, "managed": 0, "free": 0}, "DMA32": {"present": {"max": 1}}}}, []),
    ({"zones": {"DMA": {"start": 0}, "DMA32": {"present": 1}}}, ["$.zones.DMA.start", "$.zones.DMA32.present"]),
    ({"zones": {"Movable": None, "DMA": {"free": 1}}}, ["$.zones.Movable", "$.zones.DMA.free"]),
    ({"zones": {"Movable": {"present": 0}}}, ["$.zones.Movable.present"]),
    ({"valid_zones": {"1": "Movable"}, "pageblocks": {"addr:2M": "Movable", "block:1": "Movable"}}, []),
    ({"valid_zones": {"1": "Normal"}, "pageblocks": {"512": "CMA"}}, ["$.valid_zones.1", "$.pageblocks.512"]),
    ({"nr_isolate": {"Normal": 0, "Movable": {"max": 0}}}, []),
    ({"panic": False, "warns": 0, "drains": 0, "migrated": 0, "dumped": [], "no_log": ["x"], "log": []}, []),
    ({"panic": True, "warns": 1, "log": ["x"]}, ["$.panic", "$.warns", "$.log"]),
    ({"notified": {"*": []}}, []),
])
def test_a_machine_at_rest(look, expect, paths):
    assert look(expect) == paths


@pytest.mark.parametrize(("expect", "paths"), [
    ({"errno": "EBUSY", "dumped": ["addr:28K"], "log": ["page:", "unmovable page"], "no_log": ["WARNING"]}, []),
    ({"dumped": []}, ["$.dumped"]),
    ({"dumped": [None]}, ["$.dumped"]),
    ({"log": ["unmovable page", "page:"]}, ["$.log"]),
    ({"no_log": ["pfn:0x7"]}, ["$.no_log"]),
])
def test_a_failed_isolation(look, expect, paths):
    call = ("isolate", 0, 512, ("REPORT_FAILURE",))
    assert look(expect, *call, prepare=lambda machine: machine.place(7, "slab")) == paths


def test_events_before_the_step_do_not_count(look):
    assert look({"drains": 1}, "isolate", 512, 1024, prepare=lambda machine: machine.isolate(0, 512)) == []


@pytest.mark.parametrize(("expected", "holds"), [
    (["0", "EBUSY"], True), ([None, "EBUSY"], True), ([None, None], True), (["EBUSY", "0"], False), (["0"], False)])
def test_a_race_has_an_errno_for_each_task(unit, expected, holds):
    see = Sight(unit(), ("0", "EBUSY"), None, ())
    assert (not list(compare({"errno": expected}, see, "$"))) is holds


def test_after_a_panic_the_errno_is_not_looked_at(unit):
    assert not list(compare({"errno": "EIO", "panic": True}, Sight(unit(), "0", "no", ()), "$"))


def test_the_driver(virtio):
    machine = virtio(requested="64M")
    result = machine.attempt("resize", "72M")
    see = Sight(machine, result.errno, None, result.events)
    right = {"states": {"4": "OFFLINE_PARTIAL", "5": "UNUSED"}, "subblocks": {"4": 18, "5": 0}, "rc": "0",
             "retry_ms": None, "broken": False, "requests": ["PLUG 4 16 2"]}
    assert not list(compare({"driver": right, "plugged": 72 << 20, "requested": 72 << 20}, see, "$"))
    wrong = {"states": {"4": "OFFLINE"}, "subblocks": {"4": 17}, "rc": "EBUSY", "retry_ms": 50000, "broken": True,
             "requests": []}
    assert [d.path for d in compare({"driver": wrong}, see, "$")] == [
        "$.driver.states.4", "$.driver.subblocks.4", "$.driver.rc", "$.driver.retry_ms", "$.driver.broken",
        "$.driver.requests"]


def test_a_difference_says_what_was_found():
    assert str(Difference("$.a", 1, "x")) == "$.a: expected 1, found 'x'"


def test_every_key_of_an_expectation_has_a_question():
    races = {"reachable", "unreachable"}
    assert set(COMPARE) == {key.rstrip("?") for key in SEEN} | {"errno", "text", "unmovable"} - races


def test_what_is_not_there_differs_from_all_that_is_expected_of_it(look):
    expect = {"plugged": 0, "requested": 0, "driver": {"broken": False}, "pageblocks": {"block:60": "Movable"}}
    assert look(expect) == ["$.plugged", "$.requested", "$.driver", "$.pageblocks.block:60"]
