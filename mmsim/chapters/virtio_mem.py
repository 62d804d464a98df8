"""The scenes of the chapter on virtio-mem."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import pairwise

from mmsim import draw
from mmsim.draw.figure import plural
from mmsim.draw.figure import size as readable
from mmsim.draw.snapshot import TAKEN, Snapshot
from mmsim.machine.machine import Machine
from mmsim.widgets.controls import Choice, Control, Size
from mmsim.widgets.lab import Lab
from mmsim.widgets.telling import Setting, Telling, Told, View

AUTO = "memhp_default_state=online_movable"
THE_END = ("block:32+28672", "block:33")  # the last 16 MiB of a memory block
PARTS = ("block:32+28672", 256, None), ("block:32+31744", 384, "A"), ("block:32+32256", 192, "B")
MOST = 256 << 20
PAGE = "block:33+20480"  # in the hole of a block of which 64 MiB are plugged


# -- a request is no command ---------------------------------------------------------------------------


def asking() -> Lab:
    """The host asks for a size: what lies in the memory decides what comes of it."""
    what = {"some pages of a program": "lru", "nothing": "", "some pinned pages": "lru_pinned"}
    controls: list[Control] = [
        Size("to", "The host asks for", "64M", "256M"), Choice("what", "In the first half of the 128 MiB", what),
    ]  # fmt: skip
    return Lab("More, or less?", Asking(), controls)


class Asking:
    """A guest that has 128 MiB of its host's memory, before it is asked for another size, at that moment, and after."""

    def tell(self, setting: Setting) -> Told:
        """How it goes on a fresh machine."""
        machine = Machine(setting.patches, "2G", AUTO, {"requested": "128M"})
        if what := setting.values["what"]:
            for subblock in range(0, 16, 2):
                machine.place(f"block:32+{subblock * 1024}", what, 300)
        shots = [seen(machine)]

        def hear(kind: str, text: str, data: object) -> None:
            if kind == "printk" and "requested size" in text:
                shots.append(seen(machine))

        mark = len(machine.trace)
        draw.hearing(machine, lambda: machine.resize(setting.values["to"]), hear)
        shots.append(seen(machine))
        sent = requests(machine, mark)
        waits = machine.driver.timer[1] // 1000 if machine.driver and machine.driver.timer else 0
        return Told([Telling(3, partial(asked, shots, sent, waits), 1)])


def seen(machine: Machine) -> Snapshot:
    """The two memory blocks that the device can fill."""
    return draw.snapshot(machine, 32, 33)


def requests(machine: Machine, since: int) -> list[str]:
    """What the driver has sent to the device since then, such as `UNPLUG 32 31 1`."""
    return [event.text for event in machine.trace.since(since, "request")]


def asked(shots: Sequence[Snapshot], sent: Sequence[str], waits: int, step: int) -> View:
    """One of the three moments."""
    shot, asks = shots[step], f"requested size: {readable(shots[1].requested or 0)}"
    words = [("", "", "", "has nothing to do"), (asks, "the configuration has changed", "", "reads the new size"),
             ("", "", summed(shots, sent), done(shots[2], waits))]  # fmt: skip
    says = ("Host and guest agree.", "The host has set another size, and nothing has moved.", ended(shots[2]))
    return View(draw.talk(shot, MOST, *words[step], "Who says what"), says[step])


def summed(shots: Sequence[Snapshot], sent: Sequence[str]) -> str:
    """How much was plugged or unplugged, and in how many requests."""
    before, after = (shot.plugged or 0 for shot in shots[1:])
    verb, count = ("PLUG" if after > before else "UNPLUG"), len(sent)
    return f"{verb}: {readable(abs(after - before))}, in {plural(count, 'request')}" if sent else ""


def told(sent: Sequence[str]) -> str:
    """The requests as the driver sends them; of many the first and the last."""
    return ", ".join(sent) if len(sent) <= 3 else f"{sent[0]} … {sent[-1]} ({len(sent)} requests)"


def done(shot: Snapshot, waits: int) -> str:
    """What the driver does in the end."""
    return f"tries again in {waits} seconds" if waits else "has nothing to do"


def ended(shot: Snapshot) -> str:
    """What came of it."""
    if shot.requested == shot.plugged:
        return f"{readable(shot.plugged or 0)} are plugged, as the host has asked."
    return f"{readable(shot.plugged or 0)} are plugged, and {readable(shot.requested or 0)} were asked for."


# -- 4 MiB leave ---------------------------------------------------------------------------------------


def leaving() -> Lab:
    """A subblock is emptied, hidden and unplugged; with a pinned page in it, another one goes."""
    pinned = {"some pages are pinned": "pinned", "all pages can be moved": ""}
    return Lab("4 MiB leave", Leaving(), [Choice("pin", "In the last 4 MiB", pinned)])


class Leaving:
    """A shrink by one subblock, seen whenever pageblocks are isolated or given back, and when pages have moved."""

    def tell(self, setting: Setting) -> Told:
        """How it goes on a fresh machine."""
        machine = Machine(setting.patches, "4G", AUTO, {"requested": "128M"})
        for where, pages, name in PARTS:
            machine.place(where, "lru", pages, name)
        if setting.values["pin"]:
            machine.place("block:32+32500", "lru_pinned", 60, "P")
        shots = draw.film(machine, lambda: machine.resize("124M"), "isolate", "migrate", first=32)
        said = list(frame_words(shots))
        pictures = draw.one_by_one(shots, said, THE_END, "4 MiB leave")
        return Told([Telling(len(shots), lambda step: View(pictures[step - 1]), 1, first=1)])


def frame_words(shots: Sequence[Snapshot]) -> Iterator[tuple[str, str]]:
    """A word and a sentence for each frame."""
    yield "before", "All of the 128 MiB are plugged, and the host will ask for 124."
    for was, shot in pairwise(shots):
        if moved := sum(move.pages for move in shot.moves):
            yield "moved", f"{moved} pages have been copied to lower addresses, 32 at a time."
        elif shot.plugged != was.plugged:
            yield "unplugged", "The subblock is hidden, and the host has it back."
        elif labels(shot) > labels(was):
            yield "isolated", "Two pageblocks, 4 MiB, change their label: nothing new is put there."
        else:
            yield given_back(was, shot)


def given_back(was: Snapshot, shot: Snapshot) -> tuple[str, str]:
    """The pageblocks are no longer isolated: because the driver has all their pages, or because it can't have them."""
    if taken(shot) > taken(was):
        return "taken", "All of it was free, and now the driver has it."
    return "given back", "The pinned pages didn't move. What has moved stays where it is."


def taken(shot: Snapshot) -> int:
    """How many pages the driver has taken out of use, and not yet hidden."""
    return sum(run.end - run.start for block in shot.blocks for run in block.runs if run.kind == TAKEN)


def labels(shot: Snapshot) -> int:
    """How many pageblocks are isolated."""
    return sum(block.types.count("Isolate") for block in shot.blocks)


# -- which go first ------------------------------------------------------------------------------------


# The host asks for so many MiB, or, with 0, somebody onlines two blocks; and why the driver does what it then does.
ORDERS = (
    (0, "memory32 and memory33 are online, memory34 is not."),
    (292, "A block that is offline and has holes is the first to give, from its highest subblock down."),
    (180, "The rest of memory34 goes, and the block with it; then the highest block that is online gives."),
    (240, "Holes are filled from below, before any block is added."),
    (300, "The last holes are filled, and for what is left a block is added."),
)


def orders() -> Lab:
    """The device shrinks and grows again: which subblocks are next?"""
    return Lab("Which subblocks are next?", Orders())


class Orders:
    """Three blocks, of which the last is partial and stays offline, and one wish of the host after the other."""

    def tell(self, setting: Setting) -> Told:
        """How it goes on a fresh machine."""
        machine = Machine(setting.patches, "4G", virtio_mem={"requested": "300M"})
        views = [View(latest(machine, 0), f"300 MiB are plugged, and nothing is online. {following(0)}")]
        for number, (to, why) in enumerate(ORDERS, 1):
            mark = len(machine.trace)
            if to:
                machine.resize(f"{to}M")
            else:
                for block in (32, 33):
                    machine.write(f"memory{block}/state", "online_movable")
            views.append(View(latest(machine, mark), f"{why} {following(number)}".strip()))
        return Told([Telling(len(views), views.__getitem__)])


def following(number: int) -> str:
    """What happens after a step."""
    if number == len(ORDERS):
        return ""
    to = ORDERS[number][0]
    return f"Next: the host asks for {to} MiB." if to else "Next: two blocks are onlined."


def latest(machine: Machine, since: int) -> draw.Figure:
    """The memory blocks of the device, under the requests of the last step."""
    return draw.strip(machine, 32, 34, title=told(requests(machine, since)) or "No request")


# -- one hidden page -----------------------------------------------------------------------------------


def hidden() -> Lab:
    """A block with a hole goes offline, beside one that fails to: what becomes of one of the hidden pages."""
    other = {"one page is pinned": "pin", "somebody else refers to our page": "ref"}
    return Lab("One hidden page", Hidden(), [Choice("other", "On the right", other)])


MOMENTS = (
    "memory33 is online, and half of it is a hole. We follow one of the hole's pages.",
    "Somebody has written “offline”. The block has been isolated, and now all who want to know are told.",
    "Now the core wants each page of the block to be free.",
    "All are told how it ended.",
)


class Hidden:
    """Two attempts to offline memory33, of which 64 MiB are plugged."""

    def tell(self, setting: Setting) -> Told:
        """Both on fresh machines."""
        names = {"pin": "One page is pinned", "ref": "Somebody has a reference"}
        other = setting.values["other"]
        sides = [draw.Side("Nothing is in the way", trial(setting, "")), draw.Side(names[other], trial(setting, other))]
        views = [View(draw.hidden(sides, step, "A hidden page"), says) for step, says in enumerate(MOMENTS)]
        return Told([Telling(4, lambda step: views[step - 1], 1, paper=3, first=1)])


def trial(setting: Setting, other: str) -> draw.Attempt:
    """One attempt; an administrator who waits in vain sends a signal."""
    machine = Machine(setting.patches, "4G", AUTO, {"requested": "256M"})
    machine.place("block:33+32200", "lru_pinned", 60, "pinned")  # so its subblock stays plugged
    machine.resize("192M")
    if other == "pin":
        machine.signal(after_rounds=3)
    else:
        machine.free("pinned")
    if other == "ref":
        machine.ref(PAGE, 1)
    return draw.attempt(machine, PAGE)
