"""A scenario's machine and steps in words, for who is asked about them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mmsim.draw.figure import plural
from mmsim.draw.figure import size as readable
from mmsim.machine.sizes import pfn
from mmsim.machine.sizes import size as in_bytes
from mmsim.mm.mmzone import PAGE_SIZE

Object = dict[str, Any]

PHRASES = {
    "boot": "the machine boots",
    "resize": "the host asks for {to}",
    "write": "`{value}` is written to `{path}`",
    "read": "`{path}` is read",
    "wait": "{seconds} seconds pass",
    "allocate": "{size} are allocated with `{gfp}`, as `{as}`",
    "pin": "`{what}` is pinned",
    "unpin": "`{what}` is unpinned",
    "free": "`{what}` is given back",
    "poison": "memory_failure() finds the page at {pfn} broken",
    "signal": "a signal will come after {after_rounds} rounds",
    "unpin_after": "`{what}` will be unpinned after {after_rounds} rounds",
    "free_after": "`{what}` will be given back after {after_rounds} rounds",
    "unbind": "the driver is removed from the device",
    "place": "{count} × `{kind}` lie at {pfn}",
    "ref": "the references on the page at {pfn} change by {delta}",
    "set_pageblock": "the pageblock at {pfn} is labelled {type}",
    "isolate": "{by} wants to isolate {start} to {end}{flags}",
    "undo_isolate": "the isolation of {start} to {end} is undone",
    "has_unmovable": "`has_unmovable_pages()` looks at the pageblock at {pfn}{flags}",
    "alloc_contig": "`alloc_contig_range()` wants {start} to {end}",
}
DEFAULTS = {"gfp": "GFP_HIGHUSER_MOVABLE", "count": 1, "by": "somebody", "flags": []}
PLACES = ("pfn", "start", "end")


def one_line(text: str) -> str:
    """What a file says in several lines, as one."""
    return " ".join(text.split())


def place(value: int | str) -> str:
    """A page as a reader thinks of it: the address in MiB, and pages behind it."""
    address, rest = divmod(pfn(value) * PAGE_SIZE, 1 << 20)
    return f"{address} MiB" + (f" + {plural(rest // PAGE_SIZE, 'page')}" if rest else "")


def phrase(step: Object) -> str:
    """A step in words: its note if it has one."""
    if "note" in step:
        return str(step["note"])
    if step["do"] == "race":
        return "at the same time, in every order: " + "; ".join(phrase(task) for task in step["tasks"])
    if step["do"] in PHRASES:
        return PHRASES[step["do"]].format(**{**DEFAULTS, **readable_values({"flags": [], **step})})
    return " ".join([f"`{step['do']}`", *(f"{key}={value}" for key, value in step.items() if key != "do")])


def readable_values(step: Object) -> Object:
    """The values of a step as a reader thinks of them."""
    words = {key: place(step[key]) for key in PLACES if key in step}
    words |= {key: readable(in_bytes(step[key])) for key in ("size", "to") if key in step}
    flags = ", ".join(f"`{flag}`" for flag in step["flags"])
    return {**step, **words, "flags": f" with {flags}" if flags else ""}


def machine_words(machine: Object) -> Iterator[str]:
    """What there is before the first step."""
    memory = readable(in_bytes(machine.get("boot_memory", "2G")))
    zones = machine.get("zone_of")
    if zones and len(zones) == 1:
        yield f"A machine with {memory}, all of it free, in {zone(zones[0][2])}."
    elif zones:
        parts = [f"{place(start)} to {place(end)} in {zone(name)}" for start, end, name in zones]
        yield f"A machine with {memory}, all of it free: {'; '.join(parts)}."
    else:
        yield f"A guest with {memory} of boot memory."
    if machine.get("cmdline"):
        yield f"Its kernel was booted with `{machine['cmdline'].strip()}`."
    if (device := machine.get("virtio_mem")) is not None:
        asked = readable(in_bytes(device.get("requested", 0)))
        yield f"It has a virtio-mem device, of which the host asks for {asked}."


def zone(name: str) -> str:
    """A zone as prose names it."""
    return f"ZONE_{name.upper()}"
