"""What a patch leaves alone: random steps under two patch sets, and nothing that can be seen may differ.

Seen are every file of /sys and /proc, the kernel log, the requests to the device, the notifications, the
migrated pages, the drains, the free lists, and how each step ended.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from invariants import difference, observable
from random_steps import REPEATABLE, Step, attempt, blocks, machines, patch_sets, st, steps

from mmsim.machine.machine import Machine
from mmsim.mm.kernel import ChangeName

ALIKE = settings(REPEATABLE, max_examples=80)
histories = st.lists(steps, min_size=3, max_size=14)


def history(
    patches: frozenset[ChangeName], keys: dict[str, Any], todo: list[Step]
) -> list[tuple[str, dict[str, Any]]]:
    """How each step ends on a new machine with these patches, and what can be seen after it."""
    machine = Machine(patches=patches, **keys)
    return [("boot", observable(machine)), *((attempt(machine, step), observable(machine)) for step in todo)]


def assert_alike(one: list[tuple[str, dict[str, Any]]], other: list[tuple[str, dict[str, Any]]]) -> None:
    """The same ends, and the same to be seen after every step."""
    for number, ((end, seen), (other_end, other_seen)) in enumerate(zip(one, other, strict=True)):
        assert end == other_end, f"step {number}"
        assert seen == other_seen, f"step {number}: {difference(seen, other_seen)}"


def warned(seen: list[tuple[str, dict[str, Any]]]) -> bool:
    """Did set_migratetype_isolate() warn?"""
    return any("set_migratetype_isolate" in line for line in seen[-1][1]["log"])


@pytest.mark.parametrize("patch", [2, 6])
@ALIKE
@given(patches=patch_sets, keys=machines, todo=histories)
def test_a_patch_of_comments_changes_nothing(
    patch: int, patches: frozenset[ChangeName], keys: dict[str, Any], todo: list[Step]
) -> None:
    """Patches 2 and 6, in any patch set."""
    assert_alike(history(patches - {patch}, keys, todo), history(patches | {patch}, keys, todo))


@ALIKE
@given(patches=patch_sets, keys=machines, todo=histories)
def test_the_cleanup_changes_nothing_given_the_early_return(
    patches: frozenset[ChangeName], keys: dict[str, Any], todo: list[Step]
) -> None:
    """Patch 4, in any patch set that has patch 1."""
    assert_alike(history(patches - {4} | {1}, keys, todo), history(patches | {1, 4}, keys, todo))


to_kernel_zones = st.one_of(
    steps.filter(lambda step: step[0] != "write"),
    st.builds(
        lambda number, word: ("write", {"path": f"memory{number}/state", "value": word}),
        blocks,
        st.sampled_from(["online_kernel", "online_kernel", "offline"]),
    ),
)


@ALIKE
@given(patches=patch_sets, keys=machines, todo=st.lists(to_kernel_zones, min_size=3, max_size=14))
def test_virtio_mem_is_as_before_while_nothing_is_onlined_to_zone_movable(
    patches: frozenset[ChangeName], keys: dict[str, Any], todo: list[Step]
) -> None:
    """Patch 5, where every block that is onlined goes to a kernel zone."""
    keys = {
        **keys,
        "cmdline": keys["cmdline"].replace("online_movable", "online_kernel").replace("movable_node", ""),
    }
    assert_alike(history(patches - {5}, keys, todo), history(patches | {5}, keys, todo))


@ALIKE
@given(patches=patch_sets, keys=machines, todo=histories)
def test_the_patches_of_the_failure_path_change_nothing_where_nothing_warns(
    patches: frozenset[ChangeName], keys: dict[str, Any], todo: list[Step]
) -> None:
    """Patches 1 and 3 take away a WARN: where there was none, and no patch 4 either, they change nothing."""
    before = history(patches - {1, 3, 4}, keys, todo)
    assume(not warned(before))
    for added in ({1}, {3}, {1, 3}, {1, 3, 4}):
        assert_alike(before, history(patches - {1, 3, 4} | added, keys, todo))
