"""One page while its block goes offline: what was seen at each moment is what the machine says."""

from dataclasses import astuple

from mmsim import STAGES, Machine, draw

PAGE = "block:33+20480"
PAGES = 32768


def guest(requested="192M"):
    """A block and a half, in ZONE_MOVABLE; page 20480 of memory33 is in its hole."""
    return Machine(STAGES[-1], "4G", "memhp_default_state=online_movable", {"requested": requested})


def seen(attempt):
    """Moment, references, of the driver and of others, present, managed."""
    return [astuple(look)[:6] for look in attempt.looks]


def test_a_block_with_a_hole_goes_offline():
    attempt = draw.attempt(guest(), PAGE)
    assert seen(attempt) == [
        ("online", 1, 1, 0, 2 * PAGES, 2 * PAGES - 16384),
        ("MEM_GOING_OFFLINE", 0, 0, 0, 2 * PAGES, 2 * PAGES),
        ("scan", 0, 0, 0, 2 * PAGES, 2 * PAGES),
        ("MEM_OFFLINE", None, 0, 0, PAGES, PAGES),
    ]
    assert [look.isolated for look in attempt.looks[:3]] == [0, 64, 64]
    assert (attempt.end.errno, attempt.warned) == ("0", False)


def test_a_pinned_page_stops_it_until_a_signal_comes():
    machine = guest()
    machine.place("block:33+700", "lru_pinned")
    machine.signal(after_rounds=2)
    attempt = draw.attempt(machine, PAGE)
    first, going, scan, end = attempt.looks
    assert (attempt.end.errno, going.count, scan.count, end.moment) == ("EINTR", 0, 0, "MEM_CANCEL_OFFLINE")
    assert scan.stopped == 33 * PAGES + 700
    assert astuple(end)[1:6] == astuple(first)[1:6], "all is as at first"


def test_another_reference_stops_it_at_once():
    machine = guest()
    machine.ref(PAGE, 1)
    attempt = draw.attempt(machine, PAGE)
    assert [(look.count, look.driver, look.others) for look in attempt.looks] == [
        (2, 1, 1), (1, 0, 1), (1, 0, 1), (2, 1, 1),
    ]  # fmt: skip
    assert attempt.looks[2].stopped == attempt.page
    assert (attempt.end.errno, attempt.warned) == ("EBUSY", True)


def test_looking_changes_nothing():
    one, other = guest(), guest()
    draw.attempt(one, PAGE)
    other.write("memory33/state", "offline")
    assert one.kernel.notifiers[-1].name == other.kernel.notifiers[-1].name
    assert one.read("/proc/zoneinfo") == other.read("/proc/zoneinfo")
