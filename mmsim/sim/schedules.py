"""The search through all interleavings, with dynamic partial-order reduction.

Two steps that touch nothing in common can be swapped without any effect, so of all schedules that differ only in
such swaps one is enough. The search runs a race again and again. In each run it looks for *races*: pairs of
dependent steps, nothing between which forces their order; for each it notes to try the other order. (Flanagan and
Godefroid, *Dynamic Partial-Order Reduction for Model Checking Software*, 2005; the sleep sets, which keep an order
from being tried twice, are from Godefroid, *Partial-Order Methods for the Verification of Concurrent Systems*, 1996.)
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from mmsim.sim.cpu import Footprint


class Steps(Protocol):
    """A race as the search sees it."""

    def runnable(self) -> list[int]:
        """Numbers of the tasks that can take a step; empty at the end."""

    def step(self, number: int) -> Footprint:
        """Let a task take one step; returns what the step touched."""

    def stopped(self) -> bool:
        """Did the last step end the race for everybody?"""

    def finish(self) -> None:
        """Called once at the end."""

    def close(self) -> None:
        """Called when the race is not needed any more."""


R = TypeVar("R", bound=Steps)


def dependent(one: Footprint, other: Footprint) -> bool:
    """Do two steps touch the same state, at least one of them exclusively?"""
    if len(one) > len(other):
        one, other = other, one
    return any(key in other and (exclusive or other[key]) for key, exclusive in one.items())


@dataclass(slots=True)
class Node:
    """A state on the way of the current run, and the step taken there.

    runnable: who could take a step; todo: whose step has to be tried; tried: whose has been, and what it touched;
    sleep: whose need not be, for that was tried in another order. now: who took the step of this run, `clock`: for
    each task the last of its steps that this one depends on, directly or not.
    """

    runnable: list[int]
    sleep: dict[int, Footprint]
    todo: set[int] = field(default_factory=set)
    tried: dict[int, Footprint] = field(default_factory=dict)
    now: int = -1
    clock: dict[int, int] = field(default_factory=dict)

    def next(self, last: int) -> int | None:
        """Who is to be tried now; who ran last is preferred, which keeps schedules short."""
        left = [t for t in self.runnable if t in self.todo and t not in self.sleep and t not in self.tried]
        return last if last in left else (left[0] if left else None)

    def sleeping_after(self) -> dict[int, Footprint]:
        """Whose steps need not be tried behind the one just made: doing them first led to the same state."""
        footprint = self.tried[self.now]
        known = {**self.sleep, **self.tried}
        return {t: f for t, f in known.items() if t != self.now and not dependent(f, footprint)}


def merge(clock: dict[int, int], other: dict[int, int]) -> None:
    """Make a clock at least as late as another one."""
    for task, when in other.items():
        clock[task] = max(clock.get(task, -1), when)


class Run:
    """One run of the race along the search's stack: who touched what, and when."""

    def __init__(self, stack: list[Node]) -> None:
        self.stack = stack
        self.touched: dict[Hashable, list[int]] = {}  # key -> steps that touched it
        self.changed: dict[Hashable, list[int]] = {}  # key -> steps that touched it exclusively
        self.last: dict[int, int] = {}  # task -> its last step

    def record(self, index: int) -> None:
        """Note the step that was taken at this place of the stack."""
        node = self.stack[index]
        for key, exclusive in node.tried[node.now].items():
            self.touched.setdefault(key, []).append(index)
            if exclusive:
                self.changed.setdefault(key, []).append(index)
        self.last[node.now] = index

    def before(self, index: int) -> Iterator[int]:
        """Earlier steps that the one at this place depends on directly, the last first."""
        node = self.stack[index]
        lists = [(self.touched if exclusive else self.changed).get(key, [])
                 for key, exclusive in node.tried[node.now].items()]
        previous = index
        for step in heapq.merge(*map(reversed, lists), reverse=True):
            if step < previous:
                yield step
                previous = step

    def look_for_races(self, index: int) -> None:
        """Find the steps that could as well have come after the one at this place; note to try that."""
        node = self.stack[index]
        mine = self.stack[self.last[node.now]].clock if node.now in self.last else {}
        node.clock, forced = dict(mine), dict(mine)
        for step in self.before(index):
            other = self.stack[step]
            if forced.get(other.now, -1) < step and self.reverse(step, index, forced):
                merge(forced, other.clock)  # not if it was blocked before: who blocked it might have come later, too
            merge(node.clock, other.clock)
        node.clock[node.now] = index

    def reverse(self, step: int, index: int, forced: dict[int, int]) -> bool:
        """Have the search try an order in which the step at `index` comes before an earlier one; False if none does.

        With it come the steps between that do not depend on the earlier one. Any of them that needs none of the
        others can be the first (Abdulla and others, *Optimal Dynamic Partial Order Reduction*, 2014).
        """
        other = self.stack[step]
        firsts: list[int] = []
        for i in range(step + 1, index + 1):
            task, clock = self.stack[i].now, forced if i == index else self.stack[i].clock
            independent = i == index or clock.get(other.now, -1) < step
            if independent and task not in firsts and all(clock.get(first, -1) <= step for first in firsts):
                firsts.append(task)
        able = [task for task in firsts if task in other.runnable]
        if able and other.todo.isdisjoint(able):
            other.todo.add(able[-1])
        return self.stack[index].now not in firsts or self.stack[index].now in able


def schedules(
    start: Callable[[], R], prune: bool = True, enough: Callable[[], bool] = lambda: False
) -> Iterator[tuple[R, int]]:
    """Run the race in every interleaving: yields each finished race with the number of new states seen.

    `start` makes the race anew, in the same state each time. `enough` is asked whenever another interleaving is left
    to be tried, and ends the search.
    """
    stack: list[Node] = []
    while True:
        race, before = start(), len(stack)
        try:
            if extend(race, stack, prune):
                race.finish()
                yield race, len(stack) - before
        finally:
            race.close()
        while stack and stack[-1].next(-1) is None:
            stack.pop()
        if not stack or enough():
            return


def extend(race: Steps, stack: list[Node], prune: bool) -> bool:
    """Repeat the way that the stack describes, with another last step, and go on to the end.

    False if every continuation has been seen in another order.
    """
    run = Run(stack)
    for index, node in enumerate(stack[:-1]):
        race.runnable()
        race.step(node.now)
        run.record(index)
    runnable = race.runnable()
    if not stack and runnable:
        push(stack, runnable, {}, prune)
    while runnable:
        node = stack[-1]
        choice = node.next(stack[-2].now if len(stack) > 1 else -1)
        if choice is None:
            stack.pop()
            return False
        node.now = choice
        node.tried[choice] = race.step(choice)
        run.look_for_races(len(stack) - 1)
        run.record(len(stack) - 1)
        if race.stopped():
            node.todo.update(node.runnable)  # nobody knows what the others would have touched
        if runnable := race.runnable():
            push(stack, runnable, node.sleeping_after() if prune else {}, prune)
    return True


def push(stack: list[Node], runnable: list[int], sleep: dict[int, Footprint], prune: bool) -> None:
    """A new state: with pruning one step is tried there, and others when a race asks for them."""
    node = Node(runnable, sleep, set(runnable))
    if prune:
        first = node.next(stack[-1].now if stack else -1)
        node.todo = set() if first is None else {first}
    stack.append(node)
