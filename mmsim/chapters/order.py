"""The scenes of the chapter on the order of the series: trees with any of its patches, also such as never existed.

Each search is made once: what can happen depends on the set of patches and on the zone, not on the order.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache, partial
from itertools import combinations, permutations

from mmsim import draw
from mmsim.chapters.patch1 import ZONES, two_cpus
from mmsim.chapters.patch5 import offline_and_host
from mmsim.draw import Lane, Stage, worst
from mmsim.draw.board import LEVELS, Order
from mmsim.machine.machine import Machine
from mmsim.mm.kernel import ChangeName
from mmsim.questions.claims import kernel
from mmsim.sim.interleavings import Exploration, Outcome
from mmsim.widgets.controls import Choice
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.telling import Setting, Telling, Told, View

WORDS = {1: "early return", 2: "comments", 3: "no WARN", 4: "cleanup", 5: "virtio-mem", 6: "document"}
REAL: Order = (1, 3, 4, 5)  # those that change more than words, as in v2
FIRST: Order = (5, 4, 1, 3)  # the reader's order at first
PICKED: Order = (2, 3, 4, 5)  # what a keeper of an old kernel takes who leaves the first one out
MARKS = ("nobody loses", "EBUSY at worst", "can warn", "can crash")  # of `worst`, from the harmless to the bad
PLACE = Choice("zone", "memory32 is in", {name: name for name in ZONES})
BOTH = "either zone"
ENDS = ("neither gets in the other's way", "one may find the other's pageblocks and get EBUSY", "the kernel can warn",
        "the kernel can crash")  # fmt: skip


# -- what can happen in a kernel -----------------------------------------------------------------------------


@cache
def search(patches: frozenset[ChangeName], zone: str) -> Exploration:
    """The real callers in every order: an administrator offlines memory32 while the host takes 4 MiB of it back."""
    how = "movable" if zone == "ZONE_MOVABLE" else "kernel"
    return offline_and_host(zone=how).end(Setting({}, patches, []))


def level(patches: Collection[ChangeName], zone: str) -> int:
    """How bad the race of the real callers can get, as a place in LEVELS; the worse of both for `either zone`."""
    if zone == BOTH:
        return max(level(patches, each) for each in ZONES)
    return MARKS.index(worst(search(frozenset(patches), zone)).text)


@cache
def boot_page_warns(patches: frozenset[ChangeName], zone: str) -> bool:
    """Does the kernel warn when a block with a page that was taken at boot is to go offline?"""
    zones = [("block:0", "block:1", "Normal"), ("block:1", "block:2", ZONES[zone])]
    machine = Machine(patches, "256M", zone_of=zones)
    machine.place("block:1+300", "reserved")
    return any("WARNING" in line for line in machine.attempt("write", "memory1/state", "offline").log)


def highest(cards: Order, zone: str) -> int:
    """How bad it can get at the worst stage of an order."""
    return max(level(cards[:count], zone) for count in range(len(cards) + 1))


def every_order(zone: str, stages: int = len(REAL)) -> dict[Order, int]:
    """All orders of the four patches, and how bad each can get up to a stage."""
    return {cards: highest(cards[:stages], zone) for cards in permutations(REAL)}


# -- the board -----------------------------------------------------------------------------------------------


def lane(name: str, cards: Order, zone: str, seen: Collection[int] = (), here: int | None = None,
         boots: bool = True) -> Lane:
    """An order with its stages; all of them are seen if none are named. boots: tell what a boot page does, too."""
    shown = seen or range(len(cards) + 1)
    stages = [stage(frozenset(cards[:count]), zone, boots) if count in shown else Stage(0, False if boots else None)
              for count in range(len(cards) + 1)]  # fmt: skip
    return Lane(name, [(number, WORDS[number]) for number in cards], stages, shown, here)


def stage(patches: frozenset[ChangeName], zone: str, boots: bool) -> Stage:
    """What can happen in a kernel."""
    return Stage(level(patches, zone), boot_page_warns(patches, zone) if boots else None)


def ordered(swaps: Sequence[dict[str, int]]) -> Order:
    """The first order after neighbours were swapped."""
    cards = list(FIRST)
    for swap in swaps:
        n = swap["swap"]
        cards[n], cards[n + 1] = cards[n + 1], cards[n]
    return tuple(cards)


class Board:
    """The reader's order of four patches above the real one; each step applies the next patch."""

    def tell(self, setting: Setting) -> Told:
        """From the kernel with none of them to the one with all; who has swapped cards sees it all at once."""
        cards, zone = ordered(setting.added), setting.values["zone"]
        start = len(cards) if setting.added else 0
        return Told([Telling(len(cards) + 1, partial(self.view, cards, zone), start)])

    def view(self, cards: Order, zone: str, step: int) -> View:
        """The board up to a stage, and what is so there."""
        mine = lane("Your order", cards, zone, range(step + 1), step)
        lanes = [mine, lane("The real order", REAL, zone)] if step == len(cards) else [mine]
        boot = "Below it, a block with a boot allocation is to go offline."
        picture = draw.board(lanes, "How bad can it get on the way?", f"{about(zone)} {boot}")
        return View(picture, f"Stage {step} of {len(cards)}, {ending(cards[:step], zone)}{verdict(mine, step)}")


def about(zone: str) -> str:
    """The race, and what is drawn of it."""
    race = f"An administrator offlines memory32, which is in {zone}, while the host takes 4 MiB of it back"
    return f"{race}: the worst of every order of events."


def ending(patches: Order, zone: str) -> str:
    """What can come of the race in a kernel, after its name."""
    found = search(frozenset(patches), zone)
    end: Outcome = found.outcomes[worst(found).way]
    how = f" ({end.panic})" if end.panic else ""
    return f"{kernel(patches) if patches else 'with none of the patches'}: {ENDS[level(patches, zone)]}{how}."


def verdict(mine: Lane, step: int) -> str:
    """What is so of the whole order, once all of it is seen."""
    if step < len(mine.cards):
        return ""
    good = " No stage is worse than EBUSY."
    return good if mine.worst < LEVELS.index("warn") else f" The worst on the way: {ENDS[mine.worst]}."


def board() -> Lab:
    """Four cards whose neighbours can be swapped."""
    places = ("1st and 2nd", "2nd and 3rd", "3rd and 4th")
    swaps = {f"Swap {where}": [{"swap": n}] for n, where in enumerate(places)}
    return Lab("Four patches in an order", Board(), [PLACE], swaps)


# -- all orders ----------------------------------------------------------------------------------------------


class Orders:
    """All orders of the four cards; each step applies the next patch of every one."""

    def tell(self, setting: Setting) -> Told:
        """From the kernel with no patch to the one with all; on paper, the last step."""
        last = len(REAL)
        return Told([Telling(last + 1, partial(self.view, setting.values["zone"]), paper=last)])

    def view(self, zone: str, step: int) -> View:
        """How bad each order has been up to a stage."""
        levels = every_order(zone, step)
        picture = draw.orders(levels, {REAL: "real"}, "How bad has it been so far?", about(zone))
        return View(picture, f"Stage {step} of {len(REAL)}: {counted(levels.values())}")


def counted(levels: Collection[int]) -> str:
    """How many orders are how bad."""
    warn, crash = (sum(LEVELS[level] == bad for level in levels) for bad in ("warn", "crash"))
    return (f"{crash} of {len(levels)} orders have a stage that can crash, {warn} more one that can warn, "
            f"and {len(levels) - crash - warn} none that is worse than EBUSY.")  # fmt: skip


def every() -> Lab:
    """All 24 orders, in a zone or in the worse of both."""
    return Lab("All orders", Orders(), [Choice("zone", "memory32 is in", {name: name for name in (*ZONES, BOTH)})])


# -- every subset --------------------------------------------------------------------------------------------


def kernels(sets: Sequence[tuple[int, ...]]) -> Choice:
    """Kernels by the patches that they have."""
    return Choice("patches", "Patches", {", ".join(map(str, s)) or "none": " ".join(map(str, s)) for s in sets})


def subsets() -> Lab:
    """The race of two isolations with each subset of the patches that change how a loser is reported."""
    sets = [chosen for size in range(4) for chosen in combinations((1, 3, 4), size)]
    return Matrix("What can be reached?", two_cpus("$zone"), kernels(sets), Choice("zone", "Zone", ZONES), worst)


# -- bisecting -----------------------------------------------------------------------------------------------


class Bisection:
    """A search by hand for the patch after which the kernel can crash: only the stages that were tried are seen."""

    def tell(self, setting: Setting) -> Told:
        """A step for each try; both ends are known."""
        tries = list(dict.fromkeys(step["try"] for step in setting.added))
        draw_it = partial(self.view, tries, setting.values["zone"])
        return Told([Telling(len(tries) + 1, draw_it, len(tries))])

    def view(self, tries: Sequence[int], zone: str, step: int) -> View:
        """What is known after so many tries."""
        known = {0, len(PICKED), *tries[:step]}
        tree = lane("The tree", PICKED, zone, known, tries[step - 1] if step else None, boots=False)
        title = "After which patch can it crash?"
        return View(draw.board([tree], title, about(zone)), f"Tries: {step}. {left(tree)}")


def left(tree: Lane) -> str:
    """The patches that may still be the first bad one."""
    bad = {n for n in tree.seen if tree.stages[n].level == LEVELS.index("crash")}
    first, last = max(n for n in tree.seen if n < min(bad)), min(bad)
    names = [number for number, _ in tree.cards[first:last]]
    if len(names) == 1:
        return f"The first bad one is patch {names[0]}."
    return f"The first bad one is among patches {', '.join(map(str, names[:-1]))} and {names[-1]}."


def bisection() -> Lab:
    """A tree with patches 2 to 5, whose stages can be tried."""
    tries = {f"Try stage {n}": [{"try": n}] for n in range(1, len(PICKED))}
    return Lab("Bisect by hand", Bisection(), [PLACE], tries)
