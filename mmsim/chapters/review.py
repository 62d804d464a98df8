"""The scenes of the chapter on the review: the versions of the series, and the patch that v2 dropped, applied."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from mmsim import draw
from mmsim.chapters import patch6
from mmsim.chapters.order import WORDS
from mmsim.chapters.special import End, moved
from mmsim.draw import Mark, Strip, Version
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.mm.kernel import ChangeName
from mmsim.series import PATCHES, STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.stories import Run, Story
from mmsim.widgets.telling import Setting

DROPPED = "restrict-movable-shortcut"
SERIES = " ".join(str(patch.number) for patch in PATCHES)
KERNELS = Choice("patches", "Kernel", {"the series": SERIES, "and the dropped patch": f"{SERIES} {DROPPED}"})
V1 = ("2", "1", "3", "4", "D", "5")  # as v2 numbers them; D is the one that it dropped
V2 = tuple(str(patch.number) for patch in PATCHES)
TOP = 31 * 1024  # page of a memory block where its last 4 MiB begin
MERGED = tuple(str(patch.number) for patch in sorted(PATCHES, key=lambda patch: patch.merged or 0))
KINDS = {
    "page of the kernel's": "slab", "poisoned page": "hwpoison", "PG_offline page": "offline",
    "pinned page": "lru_pinned", "page in a pagevec": "pagevec",
}  # fmt: skip


# -- the versions --------------------------------------------------------------------------------------------


def versions() -> Strip:
    """What changed from version to version, and which patch moved where."""
    history = [
        Version("v1", "30 June 2020", V1, [
            "Six patches. The fifth, here *D*, makes `alloc_contig_range()` fail early in `ZONE_MOVABLE`."]),
        Version("v2", "30 July", V2, [
            "The early return moves to the front and is called a fix, with a `Fixes:` tag.",
            "*D* is dropped. In its place a comment says what `ZONE_MOVABLE` promises: 6.",
            "Braces, and a `goto` label that nobody used: the last lines of code that change."]),
        Version("v3", "4 August", (), ["One typing error in the comment of 6."]),
        Version("v4", "4 August", (), ["Words: the comment of 6, an option's name in 3, the message of 5."]),
        Version("v5", "16 August", MERGED, [
            "The author withdraws a claim: 1 prevents no crash. "
            "The tag goes, 1 gets a new title and message, and the comments of 2 are first again.",
            "Words: the message of 4, one case in the comment of 6."]),
        Version("merged", "13 October, for v5.10-rc1", (), ["v5, in its order."]),
    ]  # fmt: skip
    names = {str(number): word for number, word in WORDS.items()} | {"D": "fail early"}
    said = "Numbers are those of v2; an arrow is a patch that moved."
    return draw.versions(history, names, "Five versions", said)


# -- the patch that was dropped ------------------------------------------------------------------------------


def outcome(end: End) -> Mark:
    """How a call of alloc_contig_range() ended, what it has moved for nothing, and what was refused for nothing."""
    if end.errno == "0":
        return Mark("ok", "taken")
    if end.when == "late":
        return Mark("bad", f"late, {end.moved} moved")
    return Mark("bad", "for nothing") if end.case == "fresh" else Mark("warn", "early")


def one_call() -> Lab:
    """alloc_contig_range() wants 8 MiB of ZONE_MOVABLE in which something lies."""
    rows = Choice("case", "In the way", patch6.MISTAKEN)
    return Matrix("One call", patch6.Emptying(who="contig"), rows, KERNELS, outcome)


@dataclass(frozen=True)
class Shrinking(Story):
    """A story whose end is the run itself: what is asked is how each of its last two steps ended."""

    def end(self, setting: Setting) -> Run:  # type: ignore[override]
        """The run, with all its steps done."""
        run = self.run(setting)
        run.go_to(len(run.steps))
        return run


def guest() -> Shrinking:
    """128 MiB in ZONE_MOVABLE with 100 pages of a program and one special page; the host wants all of it back."""
    return Shrinking(
        {"cmdline": "memhp_default_state=online_movable", "virtio_mem": {"requested": "128M"}},
        [
            {"do": "place", "pfn": f"block:32+{TOP + 100}", "kind": "lru", "count": 100, "note": "100 pages"},
            {"do": "place", "pfn": f"block:32+{TOP + 700}", "kind": "$kind", "note": "one special page"},
            {"do": "resize", "to": "0"},
            {"do": "wait", "seconds": 50},
        ],
        block,
    )


def block(machine: Machine, since: int) -> Strip:
    """The memory block of the device."""
    return draw.strip(machine, 32, 32, since=since, unit="block")


def tries_again(result: Result) -> bool:
    """Has the driver set its timer, because something is left to do?"""
    return any(event.kind == "timer" for event in result.events)


def came_back(run: Run) -> Mark:
    """What became of the host's wish, at once and after 50 seconds."""
    first, later = run.results[-2:]
    if not tries_again(first):
        return Mark("ok", "all, at once")
    return Mark("bad", "4 MiB stay") if tries_again(later) else Mark("warn", "all, but late")


def whole_guest() -> Lab:
    """virtio-mem gives a guest's memory back, with one special page in it."""
    return Matrix("The host wants all of it", guest(), Choice("kind", "In the way", KINDS), KERNELS, came_back)


def shrunk(patches: Collection[ChangeName], kind: str) -> tuple[int, int]:
    """Pages moved while the host waits for the first attempt, and MiB that stay plugged in the end."""
    run = guest().end(Setting({"kind": kind}, frozenset(patches), []))
    assert run.machine.device is not None
    return moved(run.results[-2]), run.machine.device.size >> 20


WITH = {"series": STAGES[-1], "dropped": STAGES[-1] | {DROPPED}}
