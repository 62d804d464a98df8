"""Random machines and random operations on them, for the property tests.

A step is the name of a method of `Machine` and its arguments. Most steps are likely to do something: they
name memory that is there and names that are in use, but nothing keeps them from being refused.
"""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from mmsim.machine.machine import Machine
from mmsim.machine.pages import HUGE, PLACES
from mmsim.series import CHANGES
from mmsim.sim.log import KernelPanic

Step = tuple[str, dict[str, Any]]

REPEATABLE = settings(
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

patch_sets = st.sets(st.sampled_from([change.name for change in CHANGES])).map(frozenset)

ZONES = (
    (),
    (("block:1", "block:2", "Movable"),),
    (("block:0", "block:3", "Movable"),),
    (("block:1", "block:2", "Normal"), ("block:2", "block:2+16384", "Movable")),
    None,
)
"""Unit machines of three blocks: with or without ZONE_MOVABLE, a block in two zones. And an ordinary one."""

devices = st.sampled_from(
    [
        {},
        {"requested": "512M"},
        {"requested": "304M", "block": "16M"},
        {"requested": "256M", "block": "128M"},
        {"requested": "200M"},
        {"plugged": "64M", "requested": "300M"},
        {"plugged": "64M", "busy": True},
        {"unplug_online": False, "requested": "256M"},
        {"usable": "384M"},
    ]
).map(lambda keys: {"addr": "512M", "region": "768M", **keys})
"""Six blocks of virtio-mem memory, from memory4 on."""

machines = st.fixed_dictionaries(
    {
        "boot_memory": st.just("384M"),
        "zone_of": st.sampled_from(ZONES),
        "cmdline": st.sampled_from(
            [
                "",
                "",
                "memhp_default_state=online",
                "memhp_default_state=online_movable",
                "movable_node",
                "panic_on_warn=1",
                "kernelcore=200M",
            ]
        ),
        "virtio_mem": st.sampled_from([False, True, True]).flatmap(
            lambda there: devices if there else st.none()
        ),
    }
)

sizes = st.sampled_from(
    ["0", "200M", "380M", "4M", "6M", "20M", "68M", "128M", "132M", "256M", "300M", "512M", "768M"]
)
blocks = st.sampled_from([0, 1, 1, 2, 2, 4, 4, 4, 5, 5, 6, 7, 9])
offsets = st.sampled_from([0, 0, 0, 1, 5, 511, 512, 513, 1023, 1024, 1536, 2048, 16384, 31744, 32256, 32767])
pfns = st.builds(lambda block, offset: (block << 15) + offset, blocks, offsets)
names = st.sampled_from(["a", "a", "b"])
new_names = st.sampled_from([None, "a", "b"])
pageblocks = st.builds(
    lambda block, nr: (block << 15) + (nr << 9), blocks, st.sampled_from([0, 0, 0, 1, 2, 3, 31, 62, 63])
)
lengths = st.sampled_from([1, 1, 2, 3, 64]).map(lambda nr: nr << 9)
types = st.sampled_from(["Unmovable", "Movable", "Movable", "Reclaimable", "HighAtomic", "CMA"])
flag_sets = st.sampled_from([(), ("MEMORY_OFFLINE",), ("MEMORY_OFFLINE", "REPORT_FAILURE")])
rounds = st.integers(0, 6)
gfps = st.sampled_from(
    [
        "GFP_KERNEL",
        "GFP_USER",
        "GFP_HIGHUSER",
        "GFP_HIGHUSER_MOVABLE",
        "GFP_HIGHUSER_MOVABLE",
        "GFP_DMA32",
        "GFP_DMA",
        "GFP_USER|__GFP_MOVABLE",
        "GFP_KERNEL|__GFP_RECLAIMABLE",
        "GFP_HIGHUSER|__GFP_MOVABLE",
    ]
)
words = ("online", "online_kernel", "online_movable", "online_movable", "offline", "offline", "offline")

write_state = st.fixed_dictionaries(
    {
        "path": blocks.map(lambda number: f"memory{number}/state"),
        "value": st.sampled_from(words),
    }
)
write_other = st.fixed_dictionaries(
    {
        "path": st.sampled_from(
            ["auto_online_blocks", "memory1/online", "memory4/valid_zones", "memory99/state"]
        ),
        "value": st.sampled_from([*words, "0", "1"]),
    }
)
write_page = st.fixed_dictionaries(
    {
        "path": st.sampled_from(["hard_offline_page", "soft_offline_page", "soft_offline_page"]),
        "value": pfns.map(lambda pfn: f"{pfn << 12:#x}"),
    }
)
allocate = st.fixed_dictionaries(
    {
        "name": names,
        "size": st.sampled_from(["4K", "12K", "2M", "4M", "20M", "64M", "130M", "300M", "1G"]),
        "gfp": gfps,
        "order": st.sampled_from([0, 0, 0, 1, 3, 9, 10]),
        "within": st.none()
        | st.builds(lambda start, length: (start, start + length), pfns, st.sampled_from([64, 1024, 8192])),
    }
)
sizes_of_runs = st.sampled_from([1, 1, 2, 3, 32, 512, 700, 1024])
place_pages = st.fixed_dictionaries(
    {
        "pfn": pfns,
        "kind": st.sampled_from([kind for kind in PLACES if kind not in HUGE]),
        "count": sizes_of_runs,
        "name": new_names,
    }
)
place_huge_pages = st.fixed_dictionaries(
    {
        "pfn": pageblocks,
        "kind": st.sampled_from(sorted(HUGE)),
        "count": st.integers(1, 3),
        "name": new_names,
    }
)
ranges = st.builds(lambda start, length: {"start": start, "end": start + length}, pageblocks, lengths)
contig_ranges = st.builds(
    lambda start, length: {"start": start, "end": start + length},
    pfns,
    st.sampled_from([1, 7, 512, 1024, 4096]),
)

STEPS: dict[str, st.SearchStrategy[dict[str, Any]]] = {
    "resize": st.fixed_dictionaries({"to": sizes}),
    "write": st.integers(0, 9).flatmap(lambda n: write_state if n else write_other | write_page),
    "allocate": allocate,
    "free": st.fixed_dictionaries({"name": names}),
    "pin": st.fixed_dictionaries({"name": names, "longterm": st.booleans()}),
    "unpin": st.fixed_dictionaries({"name": names}),
    "place": place_pages | place_huge_pages,
    "ref": st.fixed_dictionaries({"pfn": pfns, "delta": st.sampled_from([1, 1, 2, -1, -1, -2])}),
    "poison": st.fixed_dictionaries({"pfn": pfns}),
    "set_pageblock": st.fixed_dictionaries({"pfn": pfns, "migratetype": types | st.just("Isolate")}),
    "isolate": st.builds(
        lambda where, flags, to: {**where, "flags": flags, "migratetype": to}, ranges, flag_sets, types
    ),
    "undo_isolate": st.builds(lambda where, to: {**where, "migratetype": to}, ranges, types),
    "has_unmovable": st.fixed_dictionaries({"pfn": pfns, "flags": flag_sets, "migratetype": types}),
    "alloc_contig": st.builds(
        lambda where, to, name: {**where, "migratetype": to, "name": name}, contig_ranges, types, new_names
    ),
    "notifier": st.fixed_dictionaries(
        {
            "name": st.just("n"),
            "veto": st.sampled_from([None, "MEM_GOING_OFFLINE", "MEM_GOING_ONLINE", "MEM_ONLINE"]),
        }
    ),
    "fail": st.fixed_dictionaries(
        {
            "what": st.sampled_from(["add_memory", "add_memory", "remove_memory"]),
            "error": st.sampled_from(["ENOMEM", "EBUSY", "EINVAL", "ENOTHING"]),
            "times": st.integers(1, 2),
        }
    ),
    "signal": st.fixed_dictionaries({"after_rounds": rounds}),
    "unpin_after": st.fixed_dictionaries({"name": names, "after_rounds": rounds}),
    "free_after": st.fixed_dictionaries({"name": names, "after_rounds": rounds}),
    "device_busy": st.fixed_dictionaries({"busy": st.booleans()}),
    "device_answers": st.fixed_dictionaries(
        {"answers": st.lists(st.sampled_from(["ACK", "NACK", "BUSY", "ERROR"]), max_size=3)}
    ),
    "wait": st.fixed_dictionaries({"seconds": st.sampled_from([0, 50, 350, 1000])}),
    "unbind": st.just({}),
}

OFTEN = {"write": 8, "resize": 3, "place": 5, "allocate": 3, "pin": 2, "alloc_contig": 2, "wait": 2}
often = [do for do in sorted(STEPS) for _ in range(OFTEN.get(do, 1))]
steps = st.sampled_from(often).flatmap(lambda do: STEPS[do].map(lambda keys: (do, keys)))


def attempt(machine: Machine, step: Step) -> str:
    """Do a step; how it ended: an errno's name (or `"0"`), `panic`, or `refused` for what can't be asked."""
    try:
        result = machine.attempt(step[0], **step[1])
    except ValueError:
        return "refused"
    except KernelPanic:
        return "panic"
    return "panic" if result.panic else result.errno
