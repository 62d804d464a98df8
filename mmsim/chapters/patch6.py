"""The scenes of the chapter on patch 6: what lies in ZONE_MOVABLE and can't be moved, and how far each caller comes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mmsim import draw
from mmsim.chapters.special import CASES, RANGE, ROUNDS, STAGES, End, attempt, boot, ended
from mmsim.draw import Mark
from mmsim.draw.snapshot import Snapshot
from mmsim.machine.machine import Machine
from mmsim.machine.result import Result
from mmsim.mm.kernel import ChangeName
from mmsim.scenario.replay import carry_out
from mmsim.series import STAGES as SERIES
from mmsim.widgets.controls import Choice, filled
from mmsim.widgets.lab import Lab
from mmsim.widgets.matrix import Matrix
from mmsim.widgets.telling import Setting, Telling, Told, View

WHO = {"offlining": "offline", "alloc_contig_range()": "contig", "an ordinary allocation": "allocate"}
ZONES = {"ZONE_MOVABLE": "Movable", "ZONE_NORMAL": "Normal"}
SPECIAL = {
    "pinned page": "pin", "page taken at boot": "boot", "memory hole": "hole", "poisoned page": "poison",
    "PG_offline, driver helps": "driver", "PG_offline, nobody helps": "offline",
}  # fmt: skip
MISTAKEN = {
    "page of the kernel's": "slab", "poisoned page": "poison", "PG_offline page": "offline", "pinned page": "pin",
    "page in a pagevec": "fresh",
}  # fmt: skip


@dataclass(frozen=True)
class Emptying:
    """Somebody wants memory in which something special lies, seen stage by stage; a control may fill each of the three.

    case: a key of CASES; who: a value of WHO; zone: a value of ZONES.
    """

    case: str = "$case"
    who: str = "$who"
    zone: str = "Movable"

    def booted(self, setting: Setting) -> tuple[Machine, str, str, str]:
        """A fresh machine, and the names of case, caller and zone."""
        name, who, zone = filled([self.case, self.who, self.zone], setting.values)
        case = CASES[name]
        online = "online_movable" if zone == "Movable" else "online_kernel"
        machine = Machine(setting.patches, **filled(case.machine or boot(), {"zone": zone, "online": online}))
        for step in case.steps:
            carry_out(machine, step)
        return machine, name, who, zone

    def end(self, setting: Setting) -> End:
        """How it ends."""
        machine, name, who, zone = self.booted(setting)
        return ended(machine, name, who, zone, attempt(machine, who, CASES[name].block))

    def tell(self, setting: Setting) -> Told:
        """How it goes, stage by stage."""
        machine, name, who, zone = self.booted(setting)
        block, ends, undone = CASES[name].block, list[Result](), list[str]()
        shots = {"": draw.snapshot(machine, block)}

        def hear(kind: str, text: str, data: object) -> None:
            undone.extend([kind] * ("no longer" in text))
            if not undone and (stage := stage_of(kind, text)):
                shots[stage] = draw.snapshot(machine, block, since=shots[""])

        draw.hearing(machine, lambda: ends.append(attempt(machine, who, block)), hear)
        shots["end"] = draw.snapshot(machine, block, since=shots[""])
        shots.setdefault("take" if who == "allocate" else "end", shots["end"])
        end = ended(machine, name, who, zone, ends[0])
        pages = ["", *reached(end), "end"]
        return Told([Telling(len(pages), lambda step: view(pages[: step + 1], shots, end))])


def stage_of(kind: str, text: str) -> str:
    """The stage to which an event belongs, or ""."""
    if kind == "dump":
        return "move" if text == "migration failure" else "isolate"
    if kind == "notify":
        return "tell" if "MEM_GOING_OFFLINE" in text else ""
    return {"isolate": "isolate", "migrate": "move", "test": "test"}.get(kind, "")


def reached(end: End) -> list[str]:
    """The stages that were begun; a look that finds nothing is not worth a page."""
    stages: tuple[str, ...] = STAGES[end.who]
    begun = stages[: stages.index(end.stage) + 1] if end.stage else stages
    return [stage for stage in begun if stage != "look" or end.stage == "look"]


# -- what is seen --------------------------------------------------------------------------------------


def view(pages: list[str], shots: dict[str, Snapshot], end: End) -> View:
    """The last 16 MiB of the block at the last of these stages, and how far it came until then."""
    shot = next(shots[page] for page in reversed(pages) if page in shots)
    block = CASES[end.case].block
    within = f"block:{block}+{RANGE - 2048}", f"block:{block + 1}"
    picture = draw.strip(shot, within=within, unit="pageblock", title=f"The last 16 MiB of memory{block}")
    after = [progress(pages, end)]
    if pages[-1] == "end" and end.result.log:
        after.append(draw.log(end.result))
    return View(picture, said(pages[-1], end), after)


def progress(pages: list[str], end: End) -> draw.Document:
    """All stages of the caller as a table: which are passed, which has stopped it, and which were not reached."""
    stages = STAGES[end.who]
    done = max((stages.index(page) + 1 for page in pages if page in stages), default=0)
    rows = {stage: [come_of(stage, end) if n < done else Mark("none", "")] for n, stage in enumerate(stages)}
    return draw.matrix("How far it came", "stage", ["what came of it"], rows)


def come_of(stage: str, end: End) -> Mark:
    """What came of a stage that was reached."""
    stopped = end.stage == stage
    if stage == "move" and not stopped:
        told = f"{end.moved} pages have moved" if end.moved else "there is nothing to move"
        return Mark("warn", f"{told}, a page stays") if end.stayed else Mark("ok", told)
    if end.who == "allocate":
        return Mark("ok", f"{end.got[0]:,} pages" if stage == "take" else f"from {end.got[1]}")
    passed, failed = COME_OF[stage]
    if stopped and end.errno == "EINTR":
        return Mark("warn", f"{failed}, again and again")
    return Mark("bad", failed) if stopped else Mark("ok", passed)


COME_OF = {
    "look": ("all of it is memory, in one zone", "not all of it is memory"),
    "isolate": ("no page is in the way", "a page is in the way"),
    "tell": ("all notifiers know of it", ""),
    "move": ("", "a page stays"),
    "test": ("every page will do", "not every page will do"),
}


def said(page: str, end: End) -> str:
    """What is so at a stage, in a sentence or two."""
    if page == "":
        return CASES[end.case].says
    if page == "end":
        return " ".join(filter(None, ending(end)))
    if page == "move" and not end.moved:
        return "Move: there is nothing that anybody could move."
    if page == "take":
        return f"Take: a program gets all that is free in this block, {end.got[0]:,} pages."
    if page == "more":
        return f"One page more: there is none here, so it comes from {end.got[1]}."
    return SAYS[page, end.stage == page or (page == "move" and end.stayed)]


SAYS = {
    ("look", True): "Look: a part of the block isn't memory. No page was looked at so far.",
    ("isolate", False): "Isolate: has_unmovable_pages() names no page, and the pageblocks are isolated.",
    ("isolate", True): "Isolate: has_unmovable_pages() names a page, and that pageblock is refused.",
    ("tell", False): "Tell: the notifiers hear that the block is going offline. Who can let go of pages does it now.",
    ("move", False): "Move: what can be moved has been moved.",
    ("move", True): "Move: what can be moved has been moved, and one page stays.",
    ("test", False): "Test: each page is free, or one that this caller may skip.",
    ("test", True): "Test: not every page is free, and what is left this caller may not skip.",
}


def ending(end: End) -> Iterator[str]:
    """How it ended, and why."""
    if end.who == "allocate":
        yield "A page that isn't free is never in the way: the program gets others."
    elif end.errno == "0":
        yield "0: the block is offline." if end.who == "offline" else "0: all pages are the caller's."
    elif end.errno == "EINTR":
        yield f"No end, until somebody presses Ctrl-C, here after {ROUNDS} rounds: -EINTR."
    else:
        back = ", and the pageblocks are given back" if end.stage != "look" else ""
        yield f"-{end.errno}{back}."
    if end.moved and end.errno != "0":
        yield f"{end.moved} pages were moved for nothing."
    why = WHY.get((end.case, end.who), "")
    looked = end.zone == "Normal" or end.stage == "isolate"  # at pages of every kind, and not at reserved ones alone
    yield LOOKED.get(end.case, why) if looked and end.who != "allocate" else why


WHY = {
    ("slab", "offline"): "Isolation hardly looks here, nobody can move the page, and only the test sees it.",
    ("slab", "contig"): "Isolation hardly looks here, nobody can move the page, and only the test sees it.",
    ("pin", "offline"): "By its looks the page can be moved, so it is tried again. Who holds it isn't asked.",
    ("pin", "contig"): "By its looks the page can be moved; that somebody holds it shows only when it is tried.",
    ("boot", "offline"): "PG_reserved is the one mark that isolation looks for in every zone.",
    ("boot", "contig"): "PG_reserved is the one mark that isolation looks for in every zone.",
    ("hole", "offline"): "Whether there is memory is asked of the memory map, before any page.",
    ("hole", "contig"): "The descriptors of the hole are marked PG_reserved, as those of a boot allocation.",
    ("poison", "offline"): "Memory that goes out of use may be broken: this caller skips a poisoned page.",
    ("poison", "contig"): "Isolation hardly looks here, nobody moves a broken page, and nobody could use it.",
    ("driver", "offline"): "Its driver was told, and let go of its pages; then they may be skipped.",
    ("driver", "contig"): "Nobody tells the driver, so its pages stay in use.",
    ("offline", "offline"): "Whoever has the page was told, and kept it: that is hopeless, and not tried again.",
    ("offline", "contig"): "Nobody tells whoever has the page, so it stays in use.",
    ("pin", "allocate"): "The pinned page is in use, so it is on no free list.",
    ("boot", "allocate"): "What is taken at boot is never put on a free list.",
    ("hole", "allocate"): "Only memory is put on the free lists, and there is none behind these descriptors.",
    ("poison", "allocate"): "The kernel took it from the program when its memory broke, and puts it on no free list.",
    ("driver", "allocate"): "virtio-mem's driver puts its pages on the free lists when they are plugged.",
    ("offline", "allocate"): "Whoever has the page took it from a free list, and hasn't put it back.",
    ("fresh", "contig"): "Isolation didn't look; then the pagevec was emptied, and the page could be moved.",
}
LOOKS = "Isolation looks at every page here, and holds this one to be unmovable."
LOOKED = {**dict.fromkeys(("slab", "poison", "driver", "offline"), LOOKS),
          "fresh": f"{LOOKS} It isn't: it only waits to be put on a list.", "pin": WHY["pin", "contig"]}  # fmt: skip


# -- the widgets ---------------------------------------------------------------------------------------


def mark(end: End) -> Mark:
    """How it ended, in a word or two."""
    if end.who == "allocate":
        return Mark("none", KEPT[end.kept])
    if end.errno == "0":
        return Mark("ok", "goes" if end.who == "offline" else "taken")
    if end.errno == "EINTR":
        return Mark("warn", "no end")
    return Mark("bad", f"{end.errno} {end.when}")


KEPT = {
    "lru": "in use", "reserved": "never free", "hole": "no memory", "hwpoison": "put aside", "offline": "held",
    "offline_dirty": "unplugged",
}  # fmt: skip
"""Why an ordinary allocation doesn't get a page, of its kind."""


def scene() -> Lab:
    """Two who want memory, and two things that may lie in it."""
    cases = Choice("case", "What lies there", {"a program's pages": "program", "a page of the kernel's": "slab"})
    return Lab("Two who ask", Emptying(), [cases, Choice("who", "Who comes", dict(list(WHO.items())[:2]))])


def endings(
    patches: Collection[ChangeName] = SERIES[-1],
    cases: Collection[str] = tuple(SPECIAL.values()),
    zone: str = "Movable",
) -> dict[tuple[str, str], End]:
    """How each case ends for each caller, in a kernel with these patches and in this zone."""
    setting = Setting({}, frozenset(patches), [])
    return {(case, who): Emptying(case, who, zone).end(setting) for case in cases for who in WHO.values()}


def special_cases() -> Lab:
    """The special cases of the comment, and who asks."""
    cases, callers = Choice("case", "In the way", SPECIAL), Choice("who", "Who", WHO)
    return Matrix("Who is stopped by what?", Emptying(), cases, callers, mark)


def both_zones() -> Lab:
    """What alloc_contig_range() makes of it in ZONE_MOVABLE and in a kernel zone."""
    kinds, zones = Choice("case", "In the way", MISTAKEN), Choice("zone", "Zone", ZONES)
    return Matrix("alloc_contig_range() in two zones", Emptying(who="contig", zone="$zone"), kinds, zones, mark)
