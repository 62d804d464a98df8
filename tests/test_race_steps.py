"""A run step by step: what is shown is what ran, and it says why each step ended so."""

import pickle
import re
import sys
from contextlib import closing

import pytest

from mmsim import Machine, draw, explore, race, series
from mmsim.draw.race_frames import MOST_FRAMES
from mmsim.draw.race_step import kinds
from mmsim.draw.race_steps import VARIABLES, deciding_frame, letters
from mmsim.machine.races import starter
from mmsim.machine.watching import record
from mmsim.mm.mmzone import MIGRATE_ISOLATE
from mmsim.mm.page_isolation import set_migratetype_isolate
from mmsim.series import STAGES

REPORT = ["MEMORY_OFFLINE", "REPORT_FAILURE"]
OFFLINE = race("isolate", "offline", start="addr:44M", end="addr:50M", flags=REPORT)
WORKER = race("isolate", "worker", start="addr:46M", end="addr:48M")
RACERS = [OFFLINE, WORKER]
LATE = [0, 0, 0, 1, 1, 1, 0, 0]  # offline comes to 46 MiB when worker has it


def machine(patches=(), zone="Movable", cmdline=""):
    """128 MiB in one zone."""
    return Machine(patches, "128M", cmdline, zone_of=[["addr:0", "addr:128M", zone]])


def late(patches=(), **keys):
    """The frames in which offline loses."""
    return draw.race_steps(machine(patches, **keys), RACERS, LATE)


def decided(steps):
    """The line that decided, and the reason that is told."""
    step = steps[deciding_frame(steps)]
    return step.listing[step.deciding].strip(), step.reason.replace("`", "")


# -- what is seen is what ran ------------------------------------------------------------------------


@pytest.mark.parametrize("patches", [(), {1}, {3}, {4}, {1, 3, 4}])
def test_the_lines_shown_are_lines_of_the_listing(patches):
    shown = [line.strip() for line in late(patches)[0].listing]
    text = series.listing(set_migratetype_isolate, patches).splitlines()[1:]
    assert shown == [line.strip() for line in text if not line.strip().startswith("#")]


@pytest.mark.parametrize("patches", [(), {1}, {3}, {4}, {1, 3, 4}])
def test_the_lines_that_ran_are_those_that_the_listing_runs(patches):
    """The listing itself, compiled, runs the same lines as the model, in the same moves."""
    text = series.listing(set_migratetype_isolate, patches)
    space = dict(set_migratetype_isolate.__globals__)
    exec(compile(text, "<listing>", "exec"), space)
    code, lines = space["set_migratetype_isolate"].__code__, text.splitlines()
    ran = []

    def trace(frame, event, argument):
        if event == "line" and frame.f_code is code:
            ran[-1].add(lines[frame.f_lineno - 1].strip())
        return trace if frame.f_code is code else None

    space_of_module = set_migratetype_isolate.__globals__
    original = space_of_module["set_migratetype_isolate"]
    space_of_module["set_migratetype_isolate"] = space["set_migratetype_isolate"]
    before = sys.gettrace()
    try:
        with closing(starter(machine(patches), RACERS)()) as run:
            for task in LATE:
                ran.append(set())
                if not run.runnable():
                    break
                sys.settrace(trace)
                run.step(task)
                sys.settrace(before)
    finally:
        sys.settrace(before)
        space_of_module["set_migratetype_isolate"] = original
    for step in late(patches):
        (acting,) = (actor for actor in step.actors if actor.number == step.actor)
        expected = set().union(*ran[step.first - 1 : step.last])
        assert {step.listing[index].strip() for index in acting.ran} == expected, step.numbers


def test_a_waiting_cpu_stands_at_its_await():
    step = late()[2]
    worker = step.actors[1]
    assert step.listing[worker.stands].strip() == "await drain_after_isolation(k, zone, pfn)"
    assert step.actors[0].stands is None
    assert step.actors[0].where == "in its caller, with 0 for 44 MiB"


def test_variables_are_those_of_the_frame():
    """A second way to them: the frames of the coroutines, from outside, after each move."""
    with closing(starter(machine(), RACERS)()) as run:
        for task, step in zip(LATE, watched(LATE), strict=True):
            run.runnable()
            run.step(task)
            path, found = run.tasks[task].path, None
            while path is not None and hasattr(path, "cr_frame"):
                if path.cr_code is set_migratetype_isolate.__code__:
                    found = {name: path.cr_frame.f_locals[name] for name in VARIABLES}
                path = path.cr_await
            assert (step.stands is not None) == (found is not None)
            assert found is None or step.values == found


def watched(schedule):
    """The moves of a race, watched."""
    return record(machine(), RACERS, schedule, set_migratetype_isolate, VARIABLES).moves


def test_a_variable_has_a_value_while_its_call_lasts_or_ended_in_the_step():
    values = [[actor.values[VARIABLES.index("ret")][1] for actor in step.actors] for step in late()]
    assert values == [["0", "–"], ["0", "–"], ["–", "0"], ["–", "0"], ["-EBUSY", "–"], ["–", "–"]]
    assert [[new for actor in step.actors for *_, new in actor.values[:1]] for step in late()] == [
        [True, False], [False, False], [False, True], [False, False], [True, False], [False, False]
    ]  # fmt: skip


def test_who_isolated_what_agrees_with_the_model():
    moves = 0
    with closing(starter(machine(), RACERS)()) as run:
        for step in late():
            while moves < step.last:
                run.runnable()
                run.step(LATE[moves])
                moves += 1
            memmap = run.machine.kernel.memmap
            for cell in step.pageblocks:
                isolated = memmap.get_pageblock_migratetype(cell.first) == MIGRATE_ISOLATE
                assert (cell.label == "Isolate") == (cell.by is not None) == isolated
    assert [[cell.by for cell in step.pageblocks] for step in late()] == [
        [0, None], [0, None], [0, 1], [0, 1], [0, 1], [None, 1]
    ]  # fmt: skip


def test_the_lock_is_taken_and_given_back():
    notes = [step.locks[0].note.split(" ")[0] for step in late()]
    assert notes == ["offline", "", "worker", "", "offline", "offline"]
    assert all(step.locks[0].owner == "" for step in late()), "nobody waits with a spin lock"


def test_watching_changes_nothing():
    here, before = machine(), sys.gettrace()
    found = explore(here, *RACERS).outcomes
    for outcome in found:
        run = record(here, RACERS, [move.task for move in outcome.schedule], set_migratetype_isolate, VARIABLES)
        assert (run.outcome.errnos, run.outcome.schedule) == (outcome.errnos, outcome.schedule)
        assert run.outcome.events == outcome.events
    assert draw.race_steps(here, RACERS, LATE) == late()
    assert sys.gettrace() is before


# -- why ---------------------------------------------------------------------------------------------


def test_before_the_series_the_late_loser_warns():
    line, reason = decided(late())
    assert line.startswith("k.trace.warn_on_once(")
    assert reason == "46 MiB is isolated already: ret keeps -EBUSY, so it warns. unmovable keeps None: no dump."


def test_with_patch_1_it_returns_early():
    line, reason = decided(late(STAGES[1]))
    assert line == "return -EBUSY"
    assert reason.endswith("it returns at once. Nothing was looked at, so nothing is reported.")


def test_with_patch_4_alone_it_crashes():
    line, reason = decided(draw.race_steps(machine({4}), RACERS, LATE[:7]))
    assert line.startswith("k.dump_page(")
    assert reason == "unmovable is None, and dump_page() is called with it: it dereferences NULL."


@pytest.mark.parametrize(
    ("patches", "keys", "why"),
    [
        ((), {"zone": "Normal"}, "the zone isn't ZONE_MOVABLE, so there is no warning"),
        ({3}, {}, "no line is there that warns"),
        ((), {"cmdline": "panic_on_warn=1"}, "a warning is a panic"),
    ],
)
def test_the_reason_follows_from_the_facts(patches, keys, why):
    steps = draw.race_steps(machine(patches, **keys), RACERS, LATE[:7])
    assert why in decided(steps)[1]


@pytest.mark.parametrize(("patches", "why"), [
    ({2, 3}, "no dump."), ({2, 3, 4}, "no dump, but only since nobody has set REPORT_FAILURE."),
])
def test_a_loser_that_does_not_report_is_told_what_it_owes_to_that(patches, why):
    worker_loses = [0, 0, 0, 0, 1]
    steps = draw.race_steps(machine(patches), RACERS, worker_loses)
    assert decided(steps)[1].endswith(why)


def test_who_slips_in_is_told_with_the_lock_that_is_not_held():
    assert late()[2].reason == "Between two pageblocks offline doesn't hold `zone.lock`: worker slips in."


def told(start):
    """The frames of offlining against a host that wants memory back, in the outcome whose name begins so."""
    guest = Machine(STAGES[5], cmdline="memhp_default_state=online_movable", virtio_mem={"requested": "128M"})
    racers = [race("write", "offline", path="memory32/state", value="offline"), race("resize", "host", to="124M")]
    found = explore(guest, *racers, observe=lambda machine: {e.kind for e in machine.trace.events} >= {"timer"})
    (end,) = [outcome for outcome in found.outcomes if draw.ending(outcome).startswith(start)]
    return draw.race_steps(guest, racers, end.schedule)


def test_the_path_of_virtio_mems_driver_is_told():
    assert [step.headline for step in told("offline loses")] == [
        "offline begins", "offline isolates 4096 to 4220 MiB", "host is done", "kworker wakes",
        "kworker isolates 4220 to 4224 MiB", "offline finds 4220 MiB isolated, and leaves",
        "offline gives 4096 to 4218 MiB back", "offline gives 4218 MiB back, and fails", "kworker gives 4220 MiB back",
        "kworker gives 4222 MiB back", "kworker asks the device",
    ]  # fmt: skip


def test_a_driver_that_finds_all_taken_tries_them_one_by_one_and_sets_its_timer():
    steps = told("offline and host succeed: the driver has to try again")
    assert [step.headline for step in steps] == [
        "offline begins", "offline isolates 4096 to 4224 MiB", "offline has 4222 MiB, and goes on",
        "offline asks whether anybody objects", "host is done", "kworker wakes",
        "kworker finds one after the other isolated", "kworker gets nothing, and sets its timer",
        "offline takes the pages", "offline is done", "kworker asks the device",
    ]  # fmt: skip
    assert "It tries 31 times, from 4220 MiB to 4100 MiB: each time it finds a pageblock of offline" in steps[6].reason
    assert steps[7].reason.endswith("isolated already by offline, too: it tries again in 50 s.")
    assert steps[10].reason.startswith("`UNPLUG 32 31 1`")


def test_the_pageblocks_of_a_block_that_went_offline_are_in_no_zone():
    labels = [{cell.label for cell in step.pageblocks} for step in told("offline and host succeed: the driver")]
    assert labels == [{"Movable"}, *8 * [{"Isolate"}], *2 * [{"in no zone"}]]


def test_a_path_alone_needs_no_schedule():
    here = machine()
    here.place("addr:46M+1", "reserved")
    steps = draw.race_steps(here, [OFFLINE])
    assert [step.headline for step in steps[-2:]] == [
        "offline finds an unmovable page at 46 MiB", "offline gives 44 MiB back, and fails"
    ]  # fmt: skip
    assert "which page it is" in steps[-2].reason


def test_a_schedule_that_cannot_be_is_an_error():
    with pytest.raises(ValueError, match="move 4: task 1 can't take a step"):
        draw.race_steps(machine(), [race("isolate", start=0, end=512), race("isolate", start=512, end=1024)],
                        [1, 1, 1, 1])  # fmt: skip


# -- frames ------------------------------------------------------------------------------------------


def test_moves_are_in_frames_in_order_and_without_a_gap():
    outcome = explore(machine(), *RACERS).outcomes[0]
    steps = draw.race_steps(machine(), RACERS, outcome.schedule)
    assert [n for step in steps for n in range(step.first, step.last + 1)] == list(range(1, len(outcome.schedule) + 1))
    assert pickle.loads(pickle.dumps(steps)) == steps


@pytest.mark.parametrize("turns", [1, 2, 40])
def test_a_long_run_has_few_frames_and_few_cells(turns):
    """One path walks upwards, the other one somewhere else; they take turns that often."""
    one = race("isolate", "one", start=0, end="addr:64M", flags=REPORT)
    other = race("isolate", "other", start="addr:64M", end="addr:128M")
    steps = draw.race_steps(machine(), [one, other], ([0] * (40 // turns) + [1] * (40 // turns)) * turns)
    assert 1 < len(steps) <= MOST_FRAMES
    assert (steps[0].first, steps[-1].last) == (1, steps[0].of)
    assert len(steps[0].pageblocks) <= 2 * MOST_FRAMES
    assert (steps[0].pageblocks[0].first, steps[0].pageblocks[-1].last) == (0, 63 * 512)


def test_a_quiet_refusal_in_a_long_run_has_a_frame_of_its_own():
    here = machine({1})
    here.isolate("addr:60M", "addr:62M")
    steps = draw.race_steps(here, [race("isolate", "offline", start=0, end="addr:64M", flags=REPORT)])
    assert [step.headline for step in steps] == [
        "offline isolates 0 to 60 MiB", "offline finds 60 MiB isolated, and leaves", "offline gives 0 to 58 MiB back",
        "offline gives 58 MiB back, and fails",
    ]  # fmt: skip
    assert {cell.label for cell in steps[1].pageblocks} == {"Isolate"}
    assert [cell.by for cell in steps[1].pageblocks] == [0, 0, None]


def test_a_mutex_is_held_from_one_step_to_the_next():
    guest = Machine({5}, cmdline="memhp_default_state=online_movable", virtio_mem={"requested": "128M"})
    write = race("write", "user", path="memory32/state", value="offline")
    steps = draw.race_steps(guest, [write])
    seen = [(lock.owner, lock.note) for step in steps for lock in step.locks if lock.name == "device_hotplug_lock"]
    end = next(index for index, step in enumerate(steps) if step.actors[0].where == "done: 0")
    assert end > 1
    assert seen == [("user", "")] * end + [("", "user gave it back")] + [("", "")] * (len(steps) - end - 1)


def test_actors_have_a_letter_each():
    assert letters(["offline", "worker", "other", "", "wolf"]) == ["O", "W", "P", "A", "X"]
    assert letters(["the host", "offlining"]) == ["H", "O"]


# -- the picture -------------------------------------------------------------------------------------


def test_who_takes_memory_offline_looks_the_same_in_every_picture():
    purple, teal, grey = "mmsim-first", "mmsim-second", "mmsim-third"
    assert kinds(["offline", "kworker"]) == [purple, teal]
    assert kinds(["alloc_contig_range()", "offlining"]) == [teal, purple]
    assert kinds(["somebody"]) == [teal]
    assert kinds(["a", "b", "c"]) == [teal, grey, grey]


def test_a_frame_shows_nothing_of_what_is_to_come():
    steps = late()
    for index, step in enumerate(steps):
        page = draw.race_step(step).html(style=False)
        assert page.count("<i></i>") == len(steps) - index - 1 == step.frames - len(step.done)
        assert ("WARNING" in page) == (index >= 4)
        assert not any(f">{after.reason}<" in page for after in steps[index + 1 :])


def test_the_listing_is_folded_while_nobody_is_in_it():
    steps = told("offline loses")
    folded = ["<details><summary>Nobody is in" in draw.race_step(step).html(style=False) for step in steps]
    assert folded == [not any(actor.ran or actor.stands is not None for actor in step.actors) for step in steps]
    assert [step.number for step, fold in zip(steps, folded, strict=True) if not fold] == [2, 5, 6]


def test_the_log_says_sizes_in_mib_too():
    page = draw.race_step(told("offline loses")[-1]).html(style=False)
    assert "requested size: 0x7c00000 <small>(124 MiB)</small>" in page


def test_code_log_and_constants_are_not_to_be_translated():
    page = draw.race_step(late()[4]).html(style=False)
    assert '<dd translate="no"><code class="mmsim-loud">WARNING: CPU' in page
    says = re.search('role="status">(.*?)</p>', page)[1]
    assert '<code translate="no">-EBUSY</code>' in says


def test_a_frame_is_plain_text_too():
    text = str(draw.race_step(late()[4], "Before the series"))
    assert text.startswith("Before the series: Step 5 of 6\noffline finds 46 MiB isolated, and warns.\n")
    assert "\n     !     k.trace.warn_on_once(" in text
    assert "46 MiB: Isolate by worker, busy" in text
    assert "zone.lock: free; offline took it and gave it back" in text
