"""The event trace and the kernel log made of it."""

import pytest

from mmsim import KernelPanic
from mmsim.sim.log import Event, Trace


def kinds(trace):
    return [event.kind for event in trace.since(0)]


def test_an_event_is_stamped_with_time_and_cpu():
    trace = Trace()
    trace.time, trace.cpu = 2.5, 1
    trace.emit("state", "hello", 7)
    assert trace.events == [Event(2.5, 1, "state", "hello", 7)]
    assert str(trace.events[0]) == "[    2.500000] hello"


def test_since_selects_by_place_and_kind():
    trace = Trace()
    for kind in ("a", "b", "a", "c"):
        trace.emit(kind, kind)
    assert [e.kind for e in trace.since(1)] == ["b", "a", "c"]
    assert [e.kind for e in trace.since(1, "a", "c")] == ["a", "c"]
    assert len(trace) == 4


def test_debug_lines_are_events_but_not_in_the_log():
    trace = Trace()
    trace.printk("shown")
    trace.printk("hidden", "debug")
    trace.printk("shown too", "err")
    assert kinds(trace) == ["printk"] * 3
    assert trace.lines() == ["shown", "shown too"]
    assert trace.lines(1) == ["shown too"]
    assert trace.dmesg() == "[    0.000000] shown\n[    0.000000] shown too"


def test_a_warning_has_a_head_with_cpu_and_place():
    trace = Trace()
    trace.cpu = 1
    trace.warn("mm/x.c f")
    assert trace.lines() == [
        "------------[ cut here ]------------", "WARNING: CPU: 1 PID: 54 at mm/x.c f", "---[ end trace ]---"]
    assert [e.text for e in trace.since(0, "warn")] == ["mm/x.c f"]


def test_a_warning_can_say_what_is_wrong():
    trace = Trace()
    trace.warn("mm/x.c f", "7 of them")
    assert trace.lines()[:3] == [
        "------------[ cut here ]------------", "7 of them", "WARNING: CPU: 0 PID: 53 at mm/x.c f"]


def test_warn_on_once_is_once_for_each_place():
    trace = Trace()
    for condition, place in ((False, "a"), (True, "a"), (True, "a"), (True, "b")):
        trace.warn_on_once(condition, place)
    assert [e.text for e in trace.since(0, "warn")] == ["a", "b"]


@pytest.mark.parametrize(("stop", "text"), [
    (lambda t: t.panic("no more"), "no more"),
    (lambda t: t.null_dereference("f"), "BUG: kernel NULL pointer dereference in f"),
    (lambda t: t.bug_on(True, "mm/x.c f"), "Fatal exception: BUG at mm/x.c f"),
    (lambda t: t.warn("mm/x.c f"), "panic_on_warn set ..."),
])
def test_what_stops_the_machine(stop, text):
    trace = Trace(panic_on_warn=True)
    with pytest.raises(KernelPanic, match=r"."):
        stop(trace)
    assert trace.panicked == text
    assert trace.lines()[-1] == f"Kernel panic - not syncing: {text}"
    assert kinds(trace)[-1] == "panic"


def test_a_bug_that_does_not_hold_is_none():
    trace = Trace()
    trace.bug_on(False, "x")
    assert (len(trace), trace.panicked) == (0, None)


def test_lines_and_the_one_shot_flag_are_shared_state():
    trace, keys = Trace(), []
    trace.writes = keys.append
    trace.printk("x")
    trace.warn_on_once(False, "a")
    assert keys == ["log"]
    trace.warn_on_once(True, "a")
    assert "warned" in keys


# -- rate limits: 10 in 5 seconds, for each place ---------------------------------------------------------


def count(trace, times, *place):
    return [trace.ratelimit(*place) for _ in range(times)]


def test_ten_are_printed_in_a_window():
    assert count(Trace(), 12, "f") == [True] * 10 + [False] * 2


def test_the_next_window_first_says_how_many_were_left_out():
    trace = Trace()
    count(trace, 13, "f")
    assert trace.lines() == []
    trace.time = 5.1
    assert count(trace, 11, "f") == [True] * 10 + [False]
    assert trace.lines() == ["f: 3 callbacks suppressed"]
    assert trace.events[0].data == "warning"
    trace.time = 11
    count(trace, 1, "f")
    trace.time = 17
    count(trace, 1, "f")
    assert trace.lines() == ["f: 3 callbacks suppressed", "f: 1 callbacks suppressed"]


@pytest.mark.parametrize(("time", "printed"), [(5.0, False), (5.001, True)])
def test_a_window_is_five_seconds_from_its_first_line(time, printed):
    trace = Trace()
    trace.time = 1.0
    count(trace, 10, "f")
    trace.time += time
    assert trace.ratelimit("f") is printed


def test_each_place_has_a_limit_of_its_own():
    trace = Trace()
    count(trace, 11, "f", "a")
    assert count(trace, 1, "f", "b") == count(trace, 1, "g") == [True]
    assert count(trace, 1, "f", "a") == [False]


def test_between_two_calls_from_outside_windows_pass():
    trace = Trace()
    count(trace, 12, "f")
    trace.begin_step()
    assert count(trace, 1, "f") == [True]
    assert trace.lines() == ["f: 2 callbacks suppressed"]


def test_what_is_left_out_depends_on_what_was_printed():
    trace, keys = Trace(), []
    trace.writes = keys.append
    count(trace, 10, "f")
    keys.clear()
    assert (count(trace, 1, "f"), keys) == ([False], ["log"])
