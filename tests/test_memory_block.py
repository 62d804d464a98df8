"""Memory blocks and the notifier chain."""

import pytest

from mmsim.mm.kernel import MemoryBlock, Notifier
from mmsim.mm.memory_block import (
    NOTIFY_BAD,
    NOTIFY_DONE,
    NOTIFY_OK,
    memory_notify,
    notifier_from_errno,
    notifier_to_errno,
    set_block_state,
)


@pytest.mark.parametrize(("value", "error"), [
    (NOTIFY_DONE, 0), (NOTIFY_OK, 0), (0x8000, 0), (0x8001, 0), (NOTIFY_BAD, -1), (0x8011, -16), (0x8017, -22)])
def test_the_errno_of_a_notifiers_answer(value, error):
    assert notifier_to_errno(value) == error


@pytest.mark.parametrize("error", [0, -1, -12, -16, -22])
def test_an_errno_goes_there_and_back(error):
    assert notifier_to_errno(notifier_from_errno(error)) == error
    assert bool(notifier_from_errno(error) & 0x8000) == (error != 0)


def test_a_block_is_32768_pages():
    block = MemoryBlock(5, "offline")
    assert (block.start_pfn, block.end_pfn) == (163840, 196608)


@pytest.mark.parametrize(("answers", "called", "value"), [
    ([NOTIFY_OK, NOTIFY_OK], 2, NOTIFY_OK), ([NOTIFY_BAD, NOTIFY_OK], 1, NOTIFY_BAD),
    ([NOTIFY_OK, NOTIFY_BAD, NOTIFY_OK], 2, NOTIFY_BAD), ([], 0, NOTIFY_DONE)])
def test_the_chain_stops_at_the_first_that_asks_for_it(unit, drive, answers, called, value):
    machine, seen = unit(), []

    def answer(what):
        async def call(action, arg):
            seen.append((action, arg.start_pfn, arg.nr_pages))
            return what

        return call

    machine.kernel.notifiers += [Notifier(str(i), answer(a)) for i, a in enumerate(answers)]
    path = memory_notify(machine.kernel, "MEM_ONLINE", machine.kernel.memory_blocks[1])
    assert drive(machine, path) == value
    assert seen == [("MEM_ONLINE", 32768, 32768)] * called


def test_a_change_of_state_is_an_event(unit):
    machine = unit()
    set_block_state(machine.kernel, machine.kernel.memory_blocks[1], "going-offline")
    assert machine.read("memory1/state") == "going-offline"
    assert machine.trace.events[-1].data == (1, "going-offline")
