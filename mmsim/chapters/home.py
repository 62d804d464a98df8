"""The scene of the home page."""

from __future__ import annotations

from dataclasses import replace

from mmsim import draw
from mmsim.machine.machine import Machine
from mmsim.mm.kernel import ChangeName
from mmsim.mm.mmzone import PAGES_PER_SECTION
from mmsim.series import STAGES
from mmsim.widgets.lab import Lab
from mmsim.widgets.telling import Pictures

GUESTS = (
    ("ZONE_NORMAL", "online_kernel", STAGES[-1]),
    ("ZONE_MOVABLE", "online_movable", STAGES[-1]),
    ("ZONE_MOVABLE without patch 5", "online_movable", STAGES[-1] - {5}),
)
TAKEN = (("kernel", "4M"), ("program", "12M"), ("kernel", "4M"), ("program", "12M"), ("kernel", "4M"))
GIVEN = "Each guest has 128 MiB of its own, and has got 128 MiB more."
GFP = {"kernel": "GFP_KERNEL", "program": "GFP_HIGHUSER_MOVABLE"}


def hero() -> Lab:
    """Three guests got 128 MiB, and the host wants them back: what stays depends on the zone, and on patch 5."""
    machines = [guest(online, patches) for _, online, patches in GUESTS]
    names = [name for name, _, _ in GUESTS]
    before = [draw.snapshot(machine) for machine in machines]
    for machine in machines:
        machine.resize(0)
    after = [draw.snapshot(m, since=shot) for m, shot in zip(machines, before, strict=True)]
    first = [draw.Guest(name, shot, where(shot), movable(shot)) for name, shot in zip(names, before, strict=True)]
    last = [replace(was, shot=shot, sentence=why(shot)) for was, shot in zip(first, after, strict=True)]
    stays = ", ".join(str(guest.stays >> 20) for guest in last)
    pictures = [
        draw.guests(first, False, "The host wants its memory back. Which guest can give it?", GIVEN),
        draw.guests(last, True, "The host has asked for all of it.", f"{stays} MiB stay."),
    ]
    captions = ["Nothing has been taken back yet.", "The host has taken back what it could get."]
    verbs = ("Give it again", "Take it back")
    return Lab("Which guest can give memory back?", Pictures(pictures, captions), verbs=verbs)


def guest(online: str, patches: frozenset[ChangeName]) -> Machine:
    """A guest with 128 MiB of its own and 128 MiB plugged, of which its kernel and a program have taken some."""
    machine = Machine(patches, "128M", f"memhp_default_state={online}", {"requested": "128M"})
    for number, (who, size) in enumerate(TAKEN):
        machine.allocate(f"{who}-{number}", size, GFP[who])
    return machine


def movable(shot: draw.Snapshot) -> bool:
    """Is what was plugged in ZONE_MOVABLE?"""
    return any(block.driver and block.zone == "Movable" for block in shot.blocks)


def pieces(shot: draw.Snapshot, kind: str) -> int:
    """In how many subblocks of the plugged block there are pages of a kind."""
    block = next(block for block in shot.blocks if block.driver)
    base = block.number * PAGES_PER_SECTION
    return len({
        (page - base) // shot.nr_subblock
        for run in block.runs if run.kind == kind for page in range(run.start, run.end, shot.nr_subblock)
    })  # fmt: skip


def where(shot: draw.Snapshot) -> str:
    """Who is where at first."""
    kernel, program = pieces(shot, "k"), pieces(shot, "u")
    if kernel:
        return f"The kernel's own data sits in {kernel} of 32 pieces, a program's pages in {program}."
    return f"A program's pages sit in {program} of 32 pieces, the kernel's own data in the guest's own memory."


def why(shot: draw.Snapshot) -> str:
    """What stays, and why."""
    if kernel := pieces(shot, "k"):
        return f"The kernel's own data sits in {kernel} of 32 pieces and can't move."
    if moved := sum(move.pages for move in shot.moves):
        return f"The program's {moved:,} pages were moved into the guest's own memory."
    return "All of it could move; the driver doesn't try."
