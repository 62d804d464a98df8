"""Which moves of a race are told together, as one frame."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from mmsim.draw.race import FOLD_FROM, FOLDABLE, Step
from mmsim.machine.watching import Recording, Watched

MOST_FRAMES = 30


def grouped(run: Recording, steps: Sequence[Step]) -> list[list[int]]:
    """The moves (indices) of each frame."""
    groups: list[list[int]] = []
    looks = [(step.move.task, like(step, seen)) for step, seen in zip(steps, run.moves, strict=True)]
    for (_, kind), members in groupby(range(len(steps)), looks.__getitem__):
        group = list(members)
        groups += [group] if kind and len(group) >= FOLD_FROM else [[index] for index in group]
    return few(without_silent(groups, run, steps))


def like(step: Step, seen: Watched) -> str:
    """Of which kind of steps it is that can be told together: nobody hears of a pageblock that was refused, and yet
    that is not like the others. "" for a step that is told by itself."""
    return "" if set(step.kinds) - FOLDABLE else "refused" if refused(seen) else "plain"


def refused(seen: Watched) -> bool:
    """Has the function ended with an error?"""
    return isinstance(seen.returned, int) and seen.returned < 0


def without_silent(groups: list[list[int]], run: Recording, steps: Sequence[Step]) -> list[list[int]]:
    """Moves in which nothing was to be seen go with the next one of the same task, or, at the start, with any."""
    found: list[list[int]] = []
    waiting: list[int] = []
    for group in groups:
        if waiting and len(found) and steps[waiting[-1]].move.task != steps[group[0]].move.task:
            found.append(waiting)
            waiting = []
        waiting = waiting + group
        if any(steps[i].kinds or run.moves[i].lines or run.moves[i].waits for i in group):
            found.append(waiting)
            waiting = []
    return [*found, waiting] if waiting else found


def few(groups: list[list[int]]) -> list[list[int]]:
    """What is too long begins with one frame for all that is left out."""
    if len(groups) <= MOST_FRAMES:
        return groups
    cut = len(groups) - MOST_FRAMES + 1
    return [[index for group in groups[:cut] for index in group], *groups[cut:]]
