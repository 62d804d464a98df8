"""/sys/devices/system/memory as text: what its files say, and what writing to them does
(drivers/base/memory.c, core.c, v5.8 to v5.10). The files of /proc are in `procfs`.
"""

from __future__ import annotations

import re

from mmsim.machine import procfs
from mmsim.mm.kernel import Kernel, MemoryBlock
from mmsim.mm.memory_failure import memory_failure, soft_offline_page
from mmsim.mm.memory_hotplug import device_offline, device_online
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE, PAGE_SHIFT
from mmsim.mm.zones import ONLINE_TYPES, valid_zones
from mmsim.sim.errnos import EACCES, EINVAL, EIO, ENODEV, ENOENT

MEMORY = "/sys/devices/system/memory/"
BLOCK_FILES = ("online", "phys_device", "phys_index", "removable", "state", "valid_zones")
WRITE_ONLY = {MEMORY + "hard_offline_page": memory_failure, MEMORY + "soft_offline_page": soft_offline_page}
NUMBER = re.compile(r"\+?(?:0[xX](?P<hex>[0-9a-fA-F]+)|(?P<oct>0[0-7]*)|(?P<dec>[1-9][0-9]*))\n?", re.ASCII)
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


def show(k: Kernel, path: str) -> str | int:
    """The text of a file, stripped; -ENOENT if there is no such file, -EACCES if it can only be written."""
    path = absolute(path)
    if path in PROC_FILES:
        return PROC_FILES[path](k).strip("\n")
    if path in WRITE_ONLY:
        return -EACCES
    if path == MEMORY + "block_size_bytes":
        return f"{MEMORY_BLOCK_SIZE:x}"
    if path == MEMORY + "auto_online_blocks":
        return k.memhp_default_online_type
    block, name = block_of(k, path)
    if block is None:
        return -ENOENT
    return {
        "online": str(int(block.state == "online")),
        "phys_device": "0",
        "phys_index": f"{block.id:08x}",
        "removable": "1",  # constant since v5.7
        "state": block.state,
        "valid_zones": valid_zones(k, block),
    }[name]


async def store(k: Kernel, path: str, value: str) -> int:
    """Write a text to a file: 0 or a negative errno. A write of no byte does nothing (fs/sysfs/file.c)."""
    path, text = absolute(path), value.partition("\0")[0]  # what is read as a C string
    if path in PROC_FILES:
        return -EIO
    block, name = block_of(k, path)
    if block is not None:
        k.current.writes(("block", block.id))
    writable = name in ("state", "online") or path in WRITE_ONLY or path == MEMORY + "auto_online_blocks"
    if not writable:
        return -ENOENT if show(k, path) == -ENOENT else -EACCES
    if not value:
        return 0
    if block is not None:
        return await (state_store(k, block, text) if name == "state" else online_store(k, block, text))
    if path in WRITE_ONLY:
        return store_page(k, path, text)
    return auto_online_blocks_store(k, text)


def online_type_from_str(text: str) -> str | None:
    """A word for `state`, as sysfs_streq() compares: one newline at its end is forgiven, and nothing else."""
    word = text.removesuffix("\n")
    return word if word in ("offline", *ONLINE_TYPES) else None


def strtobool(text: str) -> bool | None:
    """kstrtobool() of lib/kstrtox.c: looks at the first character only, or at the second one behind an `o`."""
    first = text[:2].lower() if text[:1] in ("o", "O") else text[:1].lower()
    return {"y": True, "1": True, "on": True, "n": False, "0": False, "of": False}.get(first)


def kstrtoull(text: str) -> int | None:
    """A number as kstrtoull() reads it with base 0: decimal, octal or hexadecimal, of 64 bits at most."""
    match = NUMBER.fullmatch(text)
    if match is None:
        return None
    number = next(int(match[name], base) for name, base in (("hex", 16), ("oct", 8), ("dec", 10)) if match[name])
    return number if number < 1 << 64 else None


async def state_store(k: Kernel, block: MemoryBlock, text: str) -> int:
    """Online or offline a block by a word; -EINVAL also if it is so already."""
    online_type = online_type_from_str(text)
    if online_type is None:
        return -EINVAL
    ret = await hotplug(k, block, online_type)
    return -EINVAL if ret > 0 else ret


async def online_store(k: Kernel, block: MemoryBlock, text: str) -> int:
    """Online or offline a block by a truth value; no error if it is so already."""
    online = strtobool(text)
    if online is None:
        return -EINVAL
    return min(await hotplug(k, block, None if online else "offline"), 0)


async def hotplug(k: Kernel, block: MemoryBlock, online_type: str | None) -> int:
    """device_offline(), or device_online() with a type (None: the last one asked for), under their lock."""
    await k.device_hotplug_lock.lock(k.current)
    if k.memory_blocks.get(block.id) is not block:
        ret = -ENODEV  # removed while we waited for the lock
    elif online_type == "offline":
        ret = await device_offline(k, block)
    else:
        block.online_type = online_type or block.online_type
        ret = await device_online(k, block)
    k.device_hotplug_lock.unlock()
    return ret


def auto_online_blocks_store(k: Kernel, text: str) -> int:
    """Set what becomes of blocks that are added from now on."""
    online_type = online_type_from_str(text)
    if online_type is None:
        return -EINVAL
    k.current.writes("memhp_default_online_type")
    k.memhp_default_online_type = online_type
    return 0


def store_page(k: Kernel, path: str, text: str) -> int:
    """hard_offline_page_store() and soft_offline_page_store(): for the page at a physical address."""
    address = kstrtoull(text)
    return -EINVAL if address is None else WRITE_ONLY[path](k, address >> PAGE_SHIFT)
