"""Whatever is done to a machine, in whatever order: the invariants hold after every step.

What is refused changes nothing, nor does an allocation that fails; after a panic only reading is possible.
"""

from __future__ import annotations

from typing import Any

from hypothesis import note, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from invariants import check, difference, fingerprint
from random_steps import (
    REPEATABLE,
    STEPS,
    Step,
    attempt,
    gfps,
    machines,
    patch_sets,
    st,
)

from mmsim.machine.machine import Machine
from mmsim.mm.gfp import gfp
from mmsim.mm.kernel import ChangeName
from mmsim.mm.page_alloc import alloc_pages, free_pages

READ_ONLY = ("has_unmovable",)


class AnyOrder(RuleBasedStateMachine):
    """A machine with any patch set, to which anything is done that its methods offer."""

    machine: Machine

    @initialize(patches=patch_sets, keys=machines)
    def boot(self, patches: frozenset[ChangeName], keys: dict[str, Any]) -> None:
        """Power on."""
        self.machine = Machine(patches=patches, **keys)
        self.chunks: list[tuple[int, int]] = []
        check(self.machine)

    def do(self, step: Step) -> None:
        """Do one step and look at everything."""
        before, panicked = fingerprint(self.machine), self.machine.trace.panicked
        end = attempt(self.machine, step)
        note(f"{step[0]} {step[1]} -> {end}")
        changed = difference(before, fingerprint(self.machine))
        if panicked is not None:
            assert end in ("panic", "refused"), f"after a panic: {end}"
        if (
            panicked is not None
            or end == "refused"
            or (step[0] == "allocate" and end != "0")
            or step[0] in READ_ONLY
        ):
            assert not changed, f"{step[0]} was {end}, but has changed {changed}"
        check(self.machine)

    @rule(mask=gfps, order=st.sampled_from([0, 0, 0, 1, 4, 9, 10]), times=st.integers(1, 40))
    @precondition(lambda self: self.machine.trace.panicked is None)
    def allocate_chunks(self, mask: str, order: int, times: int) -> None:
        """Allocate chunk by chunk, for unmovable memory (nobody follows it when it migrates)."""
        k = self.machine.kernel
        for _ in range(times if "MOVABLE" not in mask else 0):
            pfn = alloc_pages(k, gfp(mask), order)
            if pfn is not None:
                self.chunks.append((pfn, order))
        check(self.machine)

    @rule(nr=st.integers(1, 60))
    @precondition(lambda self: self.machine.trace.panicked is None)
    def free_chunks(self, nr: int) -> None:
        """Its opposite; what was poisoned, freed or taken by other means meanwhile is left alone."""
        k = self.machine.kernel
        for pfn, order in self.chunks[:nr]:
            if all(
                k.memmap.state(page) == 9 for page in range(pfn, pfn + (1 << order))
            ) and not k.memmap.owned(pfn, pfn + (1 << order)):
                free_pages(k, pfn, order)
        del self.chunks[:nr]
        check(self.machine)


def rule_for(do: str) -> Any:
    """The rule that does one kind of step."""

    def one(self: AnyOrder, keys: dict[str, Any]) -> None:
        self.do((do, keys))

    one.__name__ = do
    return rule(keys=STEPS[do])(one)


for name in STEPS:
    setattr(AnyOrder, name, rule_for(name))


def test_the_invariants_hold_whatever_is_done() -> None:
    """Random steps in random order on random machines with random patch sets."""
    run_state_machine_as_test(  # type: ignore[no-untyped-call]
        AnyOrder, settings=settings(REPEATABLE, max_examples=100, stateful_step_count=30)
    )
