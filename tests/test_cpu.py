"""Running one path alone: steps, locks, rounds of a loop, and what a step touched."""

import errno

import pytest

from mmsim.sim.cpu import IDLE, PREEMPT, ROUNDS_WITHOUT_PROGRESS, Mutex, Round, SpinLock, Task, preempt, run
from mmsim.sim.log import Trace


class System:
    def __init__(self):
        self.current, self.trace = Task("boot"), Trace()


@pytest.fixture
def system():
    return System()


async def twice(seen):
    seen.append(1)
    await preempt()
    seen.append(2)
    return "end"


def test_a_step_runs_to_the_next_point():
    seen = []
    task = Task("t", path=twice(seen))
    assert (task.step(), seen, task.done) == (PREEMPT, [1], False)
    assert (task.step(), seen, task.done, task.result) == (None, [1, 2], True, "end")


def test_run_returns_what_the_path_returns(system):
    assert run(system, Task("t", path=twice([]))) == "end"


def test_an_os_error_ends_a_task_and_is_raised_by_run(system):
    async def refused():
        await preempt()
        raise OSError(errno.EBUSY, "no")

    task = Task("t", path=refused())
    with pytest.raises(OSError, match="no"):
        run(system, task)
    assert task.done


def test_the_task_and_its_cpu_are_current_while_it_runs(system):
    async def look():
        return system.current.name, system.trace.cpu

    before = system.current
    assert run(system, Task("t", cpu=1, path=look())) == ("t", 1)
    assert (system.current, system.trace.cpu) == (before, 0)


def test_an_idle_worker_rests(system):
    async def worker():
        await IDLE
        raise AssertionError("nobody woke it")

    task = Task("w", path=worker())
    assert run(system, task) is None
    assert not task.done
    assert not task.runnable
    task.path.close()


# -- locks ---------------------------------------------------------------------------------------------


def test_a_mutex_has_one_owner(system):
    mutex, task = Mutex("m"), Task("t")
    run(system, Task("t", path=mutex.lock(task)))
    assert mutex.owner is task
    mutex.unlock()
    assert mutex.owner is None


def test_who_finds_a_mutex_taken_is_not_runnable(system):
    mutex, task = Mutex("m"), Task("t")
    task.path = mutex.lock(task)
    mutex.owner = other = Task("other")
    task.step()
    assert not task.runnable
    mutex.unlock()
    assert task.runnable
    task.step()
    assert mutex.owner is task
    assert other is not task


def test_alone_waiting_for_a_taken_mutex_is_a_deadlock(system):
    mutex, task = Mutex("m"), Task("t")
    mutex.owner = Task("other")
    task.path = mutex.lock(task)
    with pytest.raises(AssertionError, match="t waits for m for ever"):
        run(system, task)


def test_a_mutex_that_is_free_can_not_be_unlocked():
    with pytest.raises(AssertionError, match="m is not taken"):
        Mutex("m").unlock()


def test_a_spin_lock_is_never_taken_twice():
    lock = SpinLock()
    with lock:
        assert lock.held
        with pytest.raises(AssertionError, match="taken twice"):
            lock.__enter__()
    assert not lock.held


# -- rounds --------------------------------------------------------------------------------------------


async def loop(system, progress, rounds=10**6):
    done = 0
    system.current.begins_rounds()
    while done < rounds and not system.current.signal_pending:
        done += 1
        await Round(progress(done))
    return done


def test_a_loop_without_progress_is_cut_off(system):
    task = Task("t", path=loop(system, lambda n: False))
    assert run(system, task) == ROUNDS_WITHOUT_PROGRESS + 1
    assert task.endless


def test_a_loop_with_progress_is_not(system):
    task = Task("t", path=loop(system, lambda n: n % ROUNDS_WITHOUT_PROGRESS == 0, 1000))
    assert run(system, task) == 1000
    assert not task.endless


def test_a_loop_is_not_cut_off_while_something_is_to_come(system):
    task = Task("t", path=loop(system, lambda n: False))
    assert run(system, task, lambda rounds: rounds < 100) == 100 + ROUNDS_WITHOUT_PROGRESS


def test_each_round_is_told_its_number_from_0_on(system):
    seen = []
    run(system, Task("t", path=loop(system, lambda n: True, 3)), lambda rounds: bool(seen.append(rounds)))
    assert seen == [0, 1, 2, 3]


def test_a_path_that_begins_no_rounds_is_told_of_none(system):
    async def refused():
        await preempt()
        return -16

    seen = []
    assert run(system, Task("t", path=refused()), lambda rounds: bool(seen.append(rounds))) == -16
    assert seen == []


# -- footprints ----------------------------------------------------------------------------------------


def test_a_footprint_keeps_the_stronger_access():
    task = Task("t", footprint={})
    task.reads("a", "b")
    task.writes("b", "c")
    task.reads("c")
    assert task.footprint == {"a": False, "b": True, "c": True}


def test_without_anybody_who_wants_to_know_nothing_is_kept():
    task = Task("t")
    task.reads("a")
    task.writes("b")
    assert task.footprint is None


def test_arriving_at_a_mutex_taking_it_and_giving_it_back_depend_on_each_other():
    mutex, task, seen = Mutex("m"), Task("t"), []

    async def path():
        await mutex.lock(task)
        await preempt()
        mutex.unlock()

    task.path = path()
    while not task.done:
        task.footprint = {}
        task.step()
        seen.append(task.footprint)
    assert seen == [{("mutex", "m"): True}] * 3
