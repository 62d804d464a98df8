"""Memory blocks as devices, and the memory notifier chain (drivers/base/memory.c, kernel/notifier.c, v5.8)."""

from __future__ import annotations

from mmsim.mm.kernel import Kernel, MemoryBlock, MemoryNotify
from mmsim.mm.mmzone import PAGES_PER_SECTION
from mmsim.sim.cpu import preempt

NOTIFY_DONE = 0
NOTIFY_OK = 1
NOTIFY_STOP_MASK = 0x8000
NOTIFY_BAD = NOTIFY_STOP_MASK | 2


def notifier_from_errno(error: int) -> int:
    """A return value of a notifier that stops the chain with a negative errno."""
    return NOTIFY_STOP_MASK | (NOTIFY_OK - error) if error else NOTIFY_OK


def notifier_to_errno(value: int) -> int:
    """The negative errno (or 0) in the return value of a chain. NOTIFY_BAD is -EPERM."""
    value &= ~NOTIFY_STOP_MASK
    return NOTIFY_OK - value if value > NOTIFY_OK else 0


async def memory_notify(k: Kernel, action: str, block: MemoryBlock) -> int:
    """Tell all notifiers in their order; the chain stops at the first that asks for it."""
    k.current.writes("notify")
    k.trace.emit("notify", f"{action} memory{block.id}", ("*", action, block.id))
    value = NOTIFY_DONE
    for notifier in list(k.notifiers):
        await preempt()
        k.trace.emit("notify", f"{notifier.name}: {action}", (notifier.name, action, block.id))
        value = await notifier.call(action, MemoryNotify(block.start_pfn, PAGES_PER_SECTION))
        if notifier_to_errno(value):
            k.trace.emit("veto", f"{notifier.name} objects to {action}", (notifier.name, action, block.id))
        if value & NOTIFY_STOP_MASK:
            break
    return value


def set_block_state(k: Kernel, block: MemoryBlock, state: str) -> None:
    """Change the state that the file memoryN/state shows."""
    k.current.writes(("block", block.id))
    block.state = state
    k.trace.emit("state", f"memory{block.id}: {state}", (block.id, state))
