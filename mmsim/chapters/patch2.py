"""The scenes of the chapter on patch 2: a page, and who asks whether it is in the way."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial

from mmsim.draw.gate_steps import Walk, walk
from mmsim.draw.gates import steps, walked
from mmsim.draw.matrix import Mark
from mmsim.machine.machine import Machine
from mmsim.mm.kernel import ChangeName
from mmsim.series import STAGES
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.telling import Setting, Telling, Told, View

PLACE = "addr:48M"
PFN = 48 << 8
ASKERS: dict[str, tuple[str, ...]] = {
    "offlining": ("MEMORY_OFFLINE", "REPORT_FAILURE"),
    "alloc_contig_range()": (),
}
PAGES = {
    "free": "free",
    "on a CPU's list": "pcp",
    "a program's": "lru",
    "pinned": "lru_pinned",
    "slab": "slab",
    "reserved": "reserved",
    "poisoned": "hwpoison",
    "PG_offline": "offline",
    "huge": "hugetlb",
}
ZONES = {"ZONE_NORMAL": "Normal", "ZONE_MOVABLE": "Movable"}
LANES = {
    "Normal zone, offlining": "Normal offlining",
    "Normal zone, alloc_contig_range()": "Normal alloc_contig_range()",
    "Movable zone, offlining": "Movable offlining",
    "Movable zone, alloc_contig_range()": "Movable alloc_contig_range()",
}


def one_page(changes: Collection[ChangeName], zone: str, what: str) -> Machine:
    """128 MiB in one zone, all free but for one page."""
    machine = Machine(changes, "128M", zone_of=[("addr:0", "addr:128M", zone)])
    if what != "free":
        machine.place(PLACE, what)
    return machine


@dataclass(frozen=True)
class Asking:
    """The walk of one page through the gates, for each who asks, or for one of them.

    fixed: what no control says; decided: does it begin with the verdict?
    """

    fixed: Mapping[str, str] = field(default_factory=dict)
    decided: bool = False

    def walks(self, setting: Setting) -> tuple[Machine, dict[str, Walk]]:
        """The machine, and a walk for each who asks: those named behind the zone, or everybody."""
        values = {**self.fixed, **setting.values}
        zone, *named = values["zone"].split()
        machine = one_page(setting.patches, zone, values["what"])
        return machine, {name: walk(machine, PFN, ASKERS[name]) for name in named or ASKERS}

    def tell(self, setting: Setting) -> Told:
        """A step for each gate; on paper the one before it is decided."""
        machine, walks = self.walks(setting)
        last = steps(walks)
        start = last if self.decided else 0
        return Told([Telling(last + 1, partial(self.view, machine, walks), start, paper=last - 1)])

    def view(self, machine: Machine, walks: dict[str, Walk], step: int) -> View:
        """The gates, as far as the page has come."""
        figure = walked(machine, "A page at the gates", PFN, walks, step)
        return View(figure, figure.says)

    def end(self, setting: Setting) -> Walk:
        """The walk of the only one who asks."""
        (found,) = self.walks(setting)[1].values()
        return found


def mark(found: Walk) -> Mark:
    """Whether a page was called unmovable, and the number of the gate that decided."""
    return Mark("bad" if found.stuck else "ok", str(found.end))


def choose(*pages: str) -> Choice:
    """The control for some of the pages."""
    return Choice("what", "The page", {name: value for name, value in PAGES.items() if value in pages})


def three_pages() -> Lab:
    """The scene: a free page, a program's and the kernel's own, before the series."""
    controls = [choose("free", "lru", "slab"), Choice("zone", "Its zone", ZONES)]
    return Lab("May this pageblock be isolated?", Asking(), controls, patches=STAGES[0])


def two_askers() -> Lab:
    """Pages about which the two who ask hear different answers, in a kernel zone before the series."""
    scene = Asking({"zone": "Normal"})
    return Lab("Two ask about one page", scene, [choose("hwpoison", "offline")], patches=STAGES[0])


def comment() -> Lab:
    """A reserved page in ZONE_MOVABLE at the gate that decides, with a switch for the patch that moves the comments."""
    scene = Asking({"what": "reserved", "zone": "Movable"}, decided=True)
    return Lab("The comment at its gate", scene, patches=STAGES[1], toggles=[2])


def table() -> Lab:
    """Every kind of page, in both zones, for both who ask; a cell opens the walk."""
    lanes = Choice("zone", "Zone, who asks", LANES)
    return Matrix("Which gate decides?", Asking(decided=True), choose(*PAGES.values()), lanes, mark, STAGES[2])
