"""The rules of the format between values, each after the words of its page; none needs a running machine."""

from __future__ import annotations

from collections.abc import Iterator

from mmsim.machine.sizes import pfn
from mmsim.mm.mmzone import MEMORY_BLOCK_SIZE, PAGES_PER_SECTION, pageblock_nr_pages
from mmsim.scenario.checks import Object, Placed, at, describe, need

HUGE = ("hugetlb", "hugetlb_free", "thp")


def acts(found: Object) -> Iterator[Placed]:
    """Each step, and after a race each of its tasks."""
    for i, step in enumerate(found["steps"]):
        yield f"$.steps[{i}]", step
        yield from ((f"$.steps[{i}].tasks[{j}]", task) for j, task in enumerate(step.get("tasks", ())))


def sights(path: str, step: Object) -> Iterator[Placed]:
    """What a step expects, and after it the outcomes of a race."""
    expect = step.get("expect", {})
    yield f"{path}.expect", expect
    for key in ("reachable", "unreachable"):
        yield from ((f"{path}.expect.{key}[{i}]", each) for i, each in enumerate(expect.get(key, ())))


def ranges(found: Object) -> Iterator[tuple[Placed, Placed]]:
    """The start and the end of each range."""
    for i, (start, end, _) in enumerate(found["machine"].get("zone_of", ())):
        yield (f"$.machine.zone_of[{i}][0]", start), (f"$.machine.zone_of[{i}][1]", end)
    for path, act in acts(found):
        if "start" in act:
            yield (f"{path}.start", act["start"]), (f"{path}.end", act["end"])
        if "within" in act:
            yield (f"{path}.within[0]", act["within"][0]), (f"{path}.within[1]", act["within"][1])


def check_patches(found: Object) -> None:
    """Patch sets are given in one place."""
    # `for_patches` "replaces `machine.patches`; giving both is an error"
    patches = found["machine"].get("patches") if "for_patches" in found else None
    need(patches is None, "$.machine.patches", "no patches beside for_patches", patches, "schema")


def check_acts(found: Object) -> None:
    """What comes first or last only, what needs a device, types of pageblocks, and the alignment of compound pages."""
    first, last = found["steps"][0], found["steps"][-1]
    for path, act in acts(found):
        do, kind, panic = act["do"], act.get("kind"), act.get("expect", {}).get("panic")
        # "first step only"; "A `race` is the last step."; if it panics "Such a step is the last one"
        need(do != "boot" or act is first, f"{path}.do", "boot as the first step only", do)
        need(do != "race" or act is last, f"{path}.do", "a race as the last step only", do)
        need(not panic or act is last, f"{path}.expect.panic", "a panic in the last step only", panic)
        # `virtio_mem`: "absent" by default, and then there is no device
        there = "virtio_mem" in found["machine"] or do not in ("resize", "device", "unbind")
        need(there, f"{path}.do", "a step that needs no machine.virtio_mem", do)
        # "`count` (a power of two) pages as ONE compound page"; huge pages: "(`pfn` aligned to 512)"
        one = kind != "slab_compound" or act.get("count", 1).bit_count() == 1
        need(one, f"{path}.count", "a power of two", act.get("count"))
        # "an error (exit 2) [...] So is [...] `migratetype: "Isolate"`"
        kept = act.get("migratetype") != "Isolate"
        need(kept, f"{path}.migratetype", "a type that a pageblock can be given back as", "Isolate")
        aligned = kind not in HUGE or pfn(act["pfn"]) % pageblock_nr_pages == 0
        need(aligned, f"{path}.pfn", f"a pfn aligned to {pageblock_nr_pages}", act.get("pfn"))


def check_names(found: Object) -> None:
    """Names are given before they are used."""
    # no "names that are used before they are given"; a task can't rely on what another one of its race gives
    held, notifiers = set(), {"*"}
    for path, act in acts(found):
        what = act.get("what") if act["do"] != "fail" else None
        need(what is None or what in held, f"{path}.what", "a name that an earlier step gives", what)
        held |= {act["as"]} if "as" in act and "tasks" not in path else set()
        notifiers |= {act["name"]} if "name" in act else set()
        for place, seen in sights(path, act):
            for name in seen.get("notified", ()):
                need(name in notifiers, at(f"{place}.notified", name), "the name of a notifier so far", name)


OWNERS = {"text": "read", "unmovable": "has_unmovable", "reachable": "race", "unreachable": "race"}


def check_expect(found: Object) -> None:
    """Expectations that only some steps can have, and as many errnos as there are tasks or paths."""
    for path, step in acts(found):
        (place, expect), *outcomes = sights(path, step)
        do, errno = step["do"], expect.get("errno")
        # "of `read`"; "of `has_unmovable`"; "of `race`"
        for key in expect:
            need(OWNERS.get(key, do) == do, f"{place}.{key}", f"this after {OWNERS.get(key)} only", do)
        # `write_each`: "one name for all, or a list"; where `panic` is true it is "not looked at"
        if isinstance(errno, list) and do != "race" and not expect.get("panic"):
            fits = do == "write_each" and len(errno) == len(step["paths"])
            need(fits, f"{place}.errno", "one name, or after write_each one for each path", errno)
        # in an outcome "a list with a name or null (any) for each task"
        for place, outcome in outcomes:
            fits = len(outcome.get("errno", step["tasks"])) == len(step["tasks"])
            need(fits, f"{place}.errno", "one name or null for each task", outcome.get("errno"))


def frames(found: Object) -> Iterator[tuple[Placed, int]]:
    """The pfns that are acted on or looked at: where they stand, how they are written, their number."""
    for path, act in acts(found):
        if "pfn" in act:
            pages = act.get("count", 1) * (pageblock_nr_pages if act.get("kind") in HUGE else 1)
            yield from (((f"{path}.pfn", act["pfn"]), pfn(act["pfn"]) + i) for i in (0, pages - 1))
        for place, seen in sights(path, act):
            for key in seen.get("pageblocks", ()):
                yield (at(f"{place}.pageblocks", key), key), pfn(key)
    for start, end in ranges(found):
        if pfn(start[1]) < pfn(end[1]):
            yield from ((start, pfn(start[1])), (end, pfn(end[1]) - 1))


def check_pfns(found: Object) -> None:
    """Ranges go upwards, and pages lie inside the machine."""
    # "`start` inclusive, `end` exclusive": a range may be empty, but it can't go backwards
    for (_, start), (path, end) in ranges(found):
        need(pfn(start) <= pfn(end), path, f"an end that isn't before the start, {describe(start)}", end)
    # no "pfn outside the machine": outside the memory blocks of the boot memory and of the device's region
    spans = [(0, found["machine"].get("boot_memory", 2 << 30))]
    if (device := found["machine"].get("virtio_mem")) is not None:
        start = device.get("addr", 4 << 30)
        spans.append((start, start + device.get("region", 4 << 30)))
    for (path, written), frame in frames(found):
        block = frame // PAGES_PER_SECTION * MEMORY_BLOCK_SIZE
        known = any(start < block + MEMORY_BLOCK_SIZE and block < end for start, end in spans)
        need(known, path, "a pfn in the boot memory or in the device's region", written)


RULES = (check_patches, check_acts, check_names, check_expect, check_pfns)
