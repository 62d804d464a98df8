"""The search through all interleavings, on programs so small that every order can be written down."""

from itertools import combinations, permutations
from math import factorial, prod

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mmsim.sim.schedules import dependent, schedules


class Program:
    """Tasks as lists of steps: `w x` changes x, `r x` reads it, `post s` and `take s` count a semaphore up and down.

    A task waits before a `take` while the semaphore is 0; `take s x` also changes x in the same step. Who may be kept
    from it by another `take` says first that it
    is going to: `want s`, which depends on all that is done to s.
    """

    def __init__(self, *tasks):
        self.tasks, self.semaphores = tasks, {"s": 0, "m": 1, "n": 1}
        self.done, self.way, self.finished = [0] * len(tasks), [], 0

    def next(self, task):
        return self.tasks[task][self.done[task]].split()

    def runnable(self):
        unfinished = [i for i, steps in enumerate(self.tasks) if self.done[i] < len(steps)]
        return [i for i in unfinished if self.next(i)[0] != "take" or self.semaphores[self.next(i)[1]]]

    def step(self, task):
        do, key, *more = self.next(task)
        if do in ("post", "take"):
            self.semaphores[key] += 1 if do == "post" else -1
        self.way.append((task, self.done[task]))
        self.done[task] += 1
        return footprint(do, key, *more)

    def stopped(self):
        return False

    def finish(self):
        self.finished += 1

    def close(self):
        pass


def footprint(do, *keys):
    return dict.fromkeys(keys, do != "r")


def ways(tasks, prune):
    return [tuple(run.way) for run, _ in schedules(lambda: Program(*tasks), prune)]


def all_ways(tasks):
    """Every order of the steps, found without the search under test."""
    found, todo = [], [()]
    while todo:
        way = todo.pop()
        program = Program(*tasks)
        for task, _ in way:
            program.step(task)
        able = program.runnable()
        todo += [(*way, (task, program.done[task])) for task in able]
        if not able:
            found.append(way)
    return found


def equivalence_class(tasks, way):
    """What all orders have in common that differ only in swaps of independent neighbours."""
    steps = {step: footprint(*tasks[step[0]][step[1]].split()) for step in way}
    return frozenset(way), frozenset(
        (a, b) for a, b in combinations(way, 2) if a[0] == b[0] or any(
            key in steps[b] and (how or steps[b][key]) for key, how in steps[a].items()))


# -- how many ------------------------------------------------------------------------------------------

LENGTHS = [(1, 1), (2, 1), (2, 2), (3, 2), (3, 3), (2, 2, 2), (1, 2, 3), (1, 1, 1, 1)]


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_unpruned_every_order_of_independent_steps_is_run_once(lengths):
    tasks = [[f"w own{i}"] * n for i, n in enumerate(lengths)]
    found = ways(tasks, prune=False)
    assert len(found) == len(set(found)) == factorial(sum(lengths)) // prod(map(factorial, lengths))


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_pruned_one_order_of_independent_steps_is_run(lengths):
    assert len(ways([[f"w own{i}"] * n for i, n in enumerate(lengths)], prune=True)) == 1


@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
def test_pruned_every_order_of_dependent_steps_is_run(lengths):
    tasks = [["w x"] * n for n in lengths]
    assert sorted(ways(tasks, prune=True)) == sorted(ways(tasks, prune=False))


def test_readers_are_independent_and_writers_are_not():
    assert len(ways([["r x"], ["r x"], ["r x"]], prune=True)) == 1
    assert len(ways([["r x"], ["r x"], ["w x"]], prune=True)) == 4  # which readers come before the writer
    assert len(ways([["w x"], ["w x"], ["w x"]], prune=True)) == 6


@pytest.mark.parametrize(("one", "other", "answer"), [
    ({"x": True}, {"x": True}, True), ({"x": True}, {"x": False}, True), ({"x": False}, {"x": True}, True),
    ({"x": False}, {"x": False}, False), ({"x": True}, {"y": True}, False), ({}, {"x": True}, False),
    ({"x": False, "y": True}, {"y": False}, True)])
def test_which_steps_depend_on_each_other(one, other, answer):
    assert dependent(one, other) is answer
    assert dependent(other, one) is answer


def test_without_tasks_there_is_one_empty_schedule():
    assert ways([], prune=True) == ways([], prune=False) == [()]


def test_new_states_are_counted_once():
    """A tree of the orders aab, aba, baa: 3 steps, then 2 new ones behind the first a, then 3 behind nothing."""
    new = [number for _, number in schedules(lambda: Program(["w x", "w x"], ["w y"]), prune=False)]
    assert len(new) == 3
    assert sum(new) == 6


# -- blocking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prune", [False, True])
def test_a_mutex_is_taken_in_every_order(prune):
    found = ways([["want m", "take m", "post m"]] * 3, prune)
    assert {tuple(task for task, step in way if step == 1) for way in found} == set(permutations(range(3)))


@pytest.mark.parametrize("prune", [False, True])
def test_a_deadlock_is_found(prune):
    one = ["want m", "take m", "want n", "take n", "post n", "post m"]
    other = ["want n", "take n", "want m", "take m", "post m", "post n"]
    assert {len(way) for way in ways([one, other], prune)} == {6, 12}


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
def test_queued_work_is_tried_before_and_after_what_it_depends_on(order):
    """A worker that can't run before work is queued may still run before somebody who could have run long ago."""
    tasks = [["w x"], ["post s"], ["take s", "w x"]]
    tasks = [tasks[i] for i in order]
    looker, worker = order.index(0), order.index(2)
    firsts = {way.index((looker, 0)) < way.index((worker, 1)) for way in ways(tasks, prune=True)}
    assert firsts == {False, True}


@pytest.mark.parametrize("order", [*permutations(range(3))], ids=str)
@pytest.mark.parametrize("work", ["take s", "take s x"])
def test_work_that_is_done_in_the_step_that_was_waited_for_too(order, work):
    tasks = [["w s" if work == "take s" else "w x"], ["post s"], [work]]
    tasks = [tasks[i] for i in order]
    classes = {equivalence_class(tasks, way) for way in all_ways(tasks)}
    assert {equivalence_class(tasks, way) for way in ways(tasks, prune=True)} == classes


# -- any program ---------------------------------------------------------------------------------------

accesses = st.sampled_from(["w x", "r x", "w y", "r y"])
plain = accesses.map(lambda step: [step])
locked = st.sampled_from("mn").flatmap(lambda m: accesses.map(
    lambda step: [f"want {m}", f"take {m}", step, f"post {m}"]))
paths = st.one_of(
    st.lists(accesses | st.just("post s"), min_size=1, max_size=3),
    st.builds(list.__add__, plain, locked), locked)
worker = st.tuples(st.sampled_from(["take s", "take s x", "take s y"]), accesses).map(list)
programs = st.tuples(paths, paths).map(list) | st.tuples(paths, paths.filter(lambda p: len(p) < 4), worker).map(list)


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(programs)
@example([["w x"], ["post s"], ["take s", "w x"]])
@example([["w x"], ["post s", "r x"], ["take s", "r x"]])
@example([["want m", "take m", "w x", "post m"], ["want m", "take m", "r x", "post m"], ["w x"]])
def test_pruning_runs_exactly_one_order_of_each_class(tasks):
    everything = all_ways(tasks)
    assert sorted(ways(tasks, prune=False)) == sorted(everything)
    found = [equivalence_class(tasks, way) for way in ways(tasks, prune=True)]
    assert len(found) == len(set(found)), "an order was run twice"
    assert set(found) == {equivalence_class(tasks, way) for way in everything}, "an order was lost"
