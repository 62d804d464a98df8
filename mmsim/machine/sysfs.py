"""/sys/devices/system/memory as text: what its files say, and what writing to them does
(drivers/base/memory.c, v5.8 to v5.10). The files of /proc are in `procfs`.
"""

from __future__ import annotations

import re

from mmsim.machine import procfs
from mmsim.mm.kernel import Kernel, MemoryBlock
from mmsim.mm.memory_failure import memory_failure
from mmsim.mm.memory_hotplug import device_offline, device_online
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE, PAGE_SHIFT
from mmsim.mm.zones import ONLINE_TYPES, valid_zones
from mmsim.sim.errnos import EACCES, EINVAL, EIO, ENODEV, ENOENT

MEMORY = "/sys/devices/system/memory/"
BLOCK_FILES = ("online", "phys_device", "phys_index", "removable", "state", "valid_zones")
PROC_FILES = {
    "/proc/buddyinfo": procfs.buddyinfo,
    "/proc/meminfo": procfs.meminfo,
    "/proc/pagetypeinfo": procfs.pagetypeinfo,
    "/proc/zoneinfo": procfs.zoneinfo,
}


def absolute(path: str) -> str:
    """A path without a leading slash is one of the memory devices'."""
    return path if path.startswith("/") else MEMORY + path


def files(k: Kernel) -> list[str]:
    """All files that can be read, sorted."""
    blocks = [f"{MEMORY}memory{n}/{name}" for n in k.memory_blocks for name in BLOCK_FILES]
    return sorted([*blocks, *PROC_FILES, MEMORY + "auto_online_blocks", MEMORY + "block_size_bytes"])


def block_of(k: Kernel, path: str) -> tuple[MemoryBlock | None, str]:
    """The memory block and the file that a path names: (None, "") if it names no file of a block."""
    match = re.fullmatch(re.escape(MEMORY) + r"memory(0|[1-9][0-9]*)/([a-z_]+)", path, re.ASCII)
    if match is None or match[2] not in BLOCK_FILES:
        return None, ""
    k.current.reads(("block", int(match[1])))
    block = k.memory_blocks.get(int(match[1]))
    return (block, match[2]) if block else (None, "")


def show(k: Kernel, path: str) -> str | None:
    """The text of a file, stripped; None if there is no such file."""
    path = absolute(path)
    if path in PROC_FILES:
        return PROC_FILES[path](k).strip("\n")
    if path == MEMORY + "block_size_bytes":
        return f"{MEMORY_BLOCK_SIZE:x}"
    if path == MEMORY + "auto_online_blocks":
        return k.memhp_default_online_type
    block, name = block_of(k, path)
    if block is None:
        return None
    return {
        "online": str(int(block.state == "online")),
        "phys_device": "0",
        "phys_index": f"{block.id:08x}",
        "removable": "1",  # constant since v5.7
        "state": block.state,
        "valid_zones": valid_zones(k, block),
    }[name]


async def store(k: Kernel, path: str, value: str) -> int:
    """Write to a file: 0 or a negative errno."""
    path, word = absolute(path), value.strip()
    block, name = block_of(k, path)
    if block is not None:
        k.current.writes(("block", block.id))
        return await store_block(k, block, name, word)
    if path == MEMORY + "auto_online_blocks":
        if word not in ("offline", *ONLINE_TYPES):
            return -EINVAL
        k.current.writes("memhp_default_online_type")
        k.memhp_default_online_type = word
        return 0
    if path == MEMORY + "hard_offline_page":
        return store_hard_offline_page(k, word)
    if show(k, path) is None:
        return -ENOENT
    return -EIO if path in PROC_FILES else -EACCES


async def store_block(k: Kernel, block: MemoryBlock, name: str, word: str) -> int:
    """state_store() and online_store(): only these two files of a block can be written."""
    if name not in ("state", "online"):
        return -EACCES
    if word not in (("0", "1") if name == "online" else ("offline", *ONLINE_TYPES)):
        return -EINVAL
    await k.device_hotplug_lock.lock(k.current)
    if k.memory_blocks.get(block.id) is not block:
        ret = -ENODEV  # removed while we waited for the lock
    elif word in ("offline", "0"):
        ret = await device_offline(k, block)
    else:
        ret = await device_online(k, block, "online" if word == "1" else word)
    k.device_hotplug_lock.unlock()
    return min(ret, 0) if name == "online" or ret <= 0 else -EINVAL


def store_hard_offline_page(k: Kernel, word: str) -> int:
    """Poison the page at a physical address; -ENXIO if it is not online."""
    try:
        address = int(word, 0)
    except ValueError:
        return -EINVAL
    return memory_failure(k, address >> PAGE_SHIFT)
