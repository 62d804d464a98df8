"""Racing paths on toy systems: counters, mutexes, loops without an end, a kworker."""

import errno
from itertools import permutations

import pytest

from mmsim.sim.cpu import IDLE, Mutex, Round, Task, preempt
from mmsim.sim.interleavings import Race, explore
from mmsim.sim.log import Trace
from mmsim.sim.schedules import schedules


class Toy:
    """A system with a few variables and a mutex; work is what the kworker is to run."""

    def __init__(self):
        self.trace = Trace()
        self.trace.writes = lambda key: self.current.writes(key)
        self.current = Task("boot")
        self.x = {}
        self.mutex = Mutex("m")
        self.other = Mutex("n")
        self.work = []

    def work_pending(self):
        return bool(self.work)

    async def kworker(self):
        while True:
            while not self.work:
                await IDLE
            await self.work.pop(0)(self)


def start(*paths):
    """What makes the race of these paths anew; a path is a function of the system."""

    def fresh():
        toy = Toy()
        return Race(toy, [(path.__name__, path(toy)) for path in paths], cpus=2)

    return fresh


def steps(name, number, key=None, writes=True):
    """A path of so many steps, each of which touches one piece of state (by default its own)."""

    async def path(toy):
        for index in range(number):
            if index:
                await preempt()
            (toy.current.writes if writes else toy.current.reads)(key or name)

    path.__name__ = name
    return path


def ends(exploration):
    return {outcome.observed for outcome in exploration.outcomes}


# -- outcomes ------------------------------------------------------------------------------------------


async def increment(toy):
    toy.current.reads("n")
    seen = toy.x.get("n", 0)
    await preempt()
    toy.current.writes("n")
    toy.x["n"] = seen + 1


async def atomic_increment(toy):
    toy.current.writes("n")
    toy.x["n"] = toy.x.get("n", 0) + 1


async def locked_increment(toy):
    await toy.mutex.lock(toy.current)
    await increment(toy)
    toy.mutex.unlock()


@pytest.mark.parametrize("prune", [False, True])
@pytest.mark.parametrize(("path", "number", "sums"), [
    (increment, 2, {1, 2}), (increment, 3, {1, 2, 3}), (atomic_increment, 3, {3}), (locked_increment, 2, {2}),
    (locked_increment, 3, {3})])
def test_lost_updates_are_found(path, number, sums, prune):
    assert ends(explore(start(*[path] * number), lambda race: race.system.x["n"], prune)) == sums


@pytest.mark.parametrize("pair", [(increment, atomic_increment), (increment, increment, atomic_increment),
                                  (locked_increment, increment)])
def test_pruning_loses_no_outcome(pair):
    def observe(race):
        return race.system.x["n"]

    pruned, all_of_them = (explore(start(*pair), observe, prune) for prune in (True, False))
    assert ends(pruned) == ends(all_of_them)
    assert pruned.schedules <= all_of_them.schedules


def limited(name, times):
    """A path that prints so often, as far as the rate limit lets it."""

    async def path(toy):
        for index in range(times):
            if index:
                await preempt()
            if toy.trace.ratelimit("f"):
                toy.trace.printk(name)

    path.__name__ = name
    return path


def test_who_finds_the_rate_limit_used_up_is_searched_for():
    """Eleven lines want to be printed, ten are: any of them may be the last."""
    race = start(limited("a", 9), limited("b", 2))
    pruned, all_of_them = (explore(race, lambda race: None, prune) for prune in (True, False))
    logs = {outcome.log for outcome in pruned.outcomes}
    assert {log.count("b") for log in logs} == {1, 2}
    assert logs == {outcome.log for outcome in all_of_them.outcomes}


def test_what_is_left_out_does_not_wake_a_loop_without_progress():
    async def a(toy):
        while not toy.current.signal_pending:
            toy.trace.ratelimit("f")
            await Round(progress=False)

    async def b(toy):
        await a(toy)

    (outcome,) = explore(start(a, b), lambda race: None).outcomes
    assert outcome.errnos == ("0", "0")


def logging(name):
    async def path(toy):
        toy.trace.printk(name)

    path.__name__ = name
    return path


def test_the_order_of_log_lines_is_an_outcome():
    found = explore(start(*map(logging, "abc")), lambda race: None)
    assert {outcome.log for outcome in found.outcomes} == set(permutations("abc"))
    assert len(found.reaching("a")) == 6
    assert found.reaching("d") == []


# -- searches that are ended -----------------------------------------------------------------------------


def test_a_search_that_was_ended_does_not_say_no():
    race, whole = start(*map(logging, "abc")), explore(start(*map(logging, "abc")), lambda race: None)
    ended = explore(race, lambda race: None, limit=2)
    assert (ended.complete, ended.schedules, len(ended.outcomes)) == (False, 2, 2)
    assert (ended.verdict("a"), ended.verdict("d")) == ("yes", "unknown")
    assert (whole.verdict("a"), whole.verdict("d")) == ("yes", "no")
    assert "unknown" in str(ended)
    assert str(whole).startswith("outcomes: 6, schedules: 6, states: ")
    assert "unknown" not in str(whole)


@pytest.mark.parametrize("limit", [6, 7])
def test_a_limit_that_is_not_exceeded_changes_nothing(limit):
    race = start(*map(logging, "abc"))
    assert explore(race, lambda race: None, limit=limit) == explore(race, lambda race: None)


def test_a_search_can_be_ended_after_some_time(monkeypatch):
    clock = iter(range(100))
    monkeypatch.setattr("mmsim.sim.interleavings.monotonic", lambda: next(clock))
    ended = explore(start(*map(logging, "abc")), lambda race: None, seconds=2.5)
    assert (ended.complete, ended.schedules) == (False, 3)
    assert explore(start(*map(logging, "abc")), lambda race: None, seconds=60).complete


@pytest.mark.parametrize("bad", [{"limit": 0}, {"seconds": 0}, {"seconds": float("nan")}])
def test_a_search_that_may_not_try_anything_is_refused(bad):
    with pytest.raises(ValueError, match="are not both more than none"):
        explore(start(*map(logging, "ab")), lambda race: None, **bad)


async def refused(toy):
    raise OSError(errno.EBUSY, "no")


async def oops(toy):
    toy.trace.null_dereference("toy")


def test_an_errno_is_a_result():
    (outcome,) = explore(start(refused, steps("fine", 2)), lambda race: None).outcomes
    assert outcome.errnos == ("EBUSY", "0")


def test_a_panic_stops_everybody():
    found = explore(start(oops, steps("a", 3)), lambda race: len(race.schedule), prune=False)
    assert {outcome.panic for outcome in found.outcomes} == {"BUG: kernel NULL pointer dereference in toy"}
    assert {outcome.errnos for outcome in found.outcomes} == {(None, None), (None, "0")}
    assert ends(found) == {1, 2, 3, 4}


def test_the_shortest_schedule_with_fewest_switches_is_kept():
    (outcome,) = explore(start(steps("a", 2), steps("b", 2)), lambda race: None, prune=False).outcomes
    assert outcome.length == (4, 1)


def test_each_move_knows_its_events():
    (outcome,) = explore(start(logging("hello"), steps("b", 1)), lambda race: None).outcomes
    texts = {move.name: [e.text for e in outcome.events[move.first : move.last]] for move in outcome.schedule}
    assert texts == {"hello": ["hello"], "b": []}


def test_events_are_stamped_with_the_cpu_of_their_task():
    found = explore(start(logging("a"), logging("b")), lambda race: None)
    assert {(e.text, e.cpu) for o in found.outcomes for e in o.events} == {("a", 0), ("b", 1)}


# -- blocked tasks -------------------------------------------------------------------------------------


def holder(name, *mutexes):
    """Takes the mutexes in this order, and gives them back."""

    async def path(toy):
        for mutex in mutexes:
            await getattr(toy, mutex).lock(toy.current)
        await preempt()
        for mutex in reversed(mutexes):
            getattr(toy, mutex).unlock()

    path.__name__ = name
    return path


def test_two_holders_of_a_mutex_come_in_either_order():
    found = explore(start(holder("a", "mutex"), holder("b", "mutex")), who_came_first)
    assert ends(found) == {"a", "b"}
    assert {outcome.errnos for outcome in found.outcomes} == {("0", "0")}


def who_came_first(race):
    """The name of the task that had the mutex first: the first to end."""
    return next(move.name for index, move in enumerate(race.schedule)
                if move.name not in [m.name for m in race.schedule[index + 1 :]])


def test_a_task_is_not_run_while_it_is_blocked():
    for race, _ in schedules(start(holder("a", "mutex"), holder("b", "mutex")), prune=False):
        order = [move.name for move in race.schedule]
        assert sorted(order) == ["a"] * 3 + ["b"] * 3  # no step is spent on waiting


def test_the_same_order_of_two_mutexes_never_deadlocks():
    found = explore(start(holder("a", "mutex", "other"), holder("b", "mutex", "other")), lambda race: None)
    assert {outcome.errnos for outcome in found.outcomes} == {("0", "0")}


def test_opposite_orders_can_deadlock():
    found = explore(start(holder("a", "mutex", "other"), holder("b", "other", "mutex")), lambda race: None)
    assert {outcome.errnos for outcome in found.outcomes} == {("0", "0"), (None, None)}


# -- loops ---------------------------------------------------------------------------------------------


async def loop_until_flag(toy):
    while True:
        toy.current.reads("flag")
        if toy.x.get("flag"):
            return
        if toy.current.signal_pending:
            raise OSError(errno.EINTR, "signal")
        await Round(progress=False)


async def set_flag(toy):
    await preempt()
    toy.current.writes("flag")
    toy.x["flag"] = True


def test_a_loop_that_another_task_ends():
    found = explore(start(loop_until_flag, set_flag), lambda race: None)
    assert {outcome.errnos for outcome in found.outcomes} == {("0", "0")}


def test_a_loop_that_nobody_ends_is_endless():
    found = explore(start(loop_until_flag, steps("b", 2)), lambda race: None)
    assert {outcome.errnos for outcome in found.outcomes} == {("ENDLESS", "0")}


def test_a_stalled_loop_is_not_run_before_something_it_looked_at_changes():
    for race, _ in schedules(start(loop_until_flag, steps("b", 5)), prune=False):
        assert sum(move.name == "loop_until_flag" for move in race.schedule) == 2  # one round, and the signal


def test_who_ran_last_goes_on_even_if_another_could():
    async def flag(toy):
        await set_flag(toy)
        await preempt()

    race, _ = next(schedules(start(loop_until_flag, flag)))
    assert [move.name for move in race.schedule] == ["loop_until_flag", "flag", "flag", "flag", "loop_until_flag"]


def test_two_endless_loops_get_a_signal_each():
    found = explore(start(loop_until_flag, loop_until_flag), lambda race: None)
    assert {outcome.errnos for outcome in found.outcomes} == {("ENDLESS", "ENDLESS")}


# -- the kworker ---------------------------------------------------------------------------------------


async def queue(toy):
    toy.current.writes("work")
    toy.work.append(atomic_increment)


def test_the_kworker_runs_what_is_queued():
    found = explore(start(queue, queue), lambda race: race.system.x["n"])
    assert ends(found) == {2}
    assert all(move.name in ("queue", "kworker") for o in found.outcomes for move in o.schedule)


def test_without_work_the_kworker_never_runs():
    (outcome,) = explore(start(steps("a", 2)), lambda race: None).outcomes
    assert [move.name for move in outcome.schedule] == ["a", "a"]


def test_queued_work_races_with_the_others():
    async def look(toy):
        toy.current.reads("n")
        toy.x["seen"] = toy.x.get("n", 0)

    assert ends(explore(start(queue, look), lambda race: race.system.x["seen"])) == {0, 1}


def test_finish_is_called_once_for_each_schedule():
    finished = []

    class Noted(Race):
        def finish(self):
            finished.append(self)

    def fresh():
        toy = Toy()
        return Noted(toy, [("a", steps("a", 2)(toy)), ("b", steps("b", 2)(toy))], 2)

    assert [race for race, _ in schedules(fresh, prune=False)] == finished
    assert len(finished) == 6
