"""The special cases of ZONE_MOVABLE: what the chapter's matrices compute, against a table of what Linux does.

The table is told of mm/memory_hotplug.c and mm/page_alloc.c at v5.8, and of what kernels of Linux 5.10 were seen to do.
"""

import pytest

pytest.importorskip("ipywidgets")

from mmsim import STAGES, Machine
from mmsim.chapters import patch6
from mmsim.chapters.patch6 import CASES, SPECIAL, WHO, Emptying
from mmsim.chapters.special import MORE, attempt
from mmsim.mm.memmap import FREE, codes
from mmsim.widgets.telling import Setting

pytestmark = pytest.mark.usefixtures("no_loop")

# case: for offlining and for alloc_contig_range(): errno, the stage that stops it, and of the log a line, or None for
# an empty one. Offlining without end is ended by a signal. Offlining that has isolated tells the notifiers; the
# "moved" are the program's other pages, which lie in the way, too.
ALL_MOVABLE = {
    "pin": (("EINTR", "move", "migrating pfn febc failed ret:1"), ("EBUSY", "test", "PFNs busy")),
    "boot": (("EBUSY", "isolate", "page dumped because: unmovable page"), ("EBUSY", "isolate", None)),
    "hole": (("EINVAL", "look", None), ("EBUSY", "isolate", None)),
    "poison": (("0", "", "Offlined Pages 32768"), ("EBUSY", "test", "PFNs busy")),
    "driver": (("0", "", "Offlined Pages 32768"), ("EBUSY", "test", "PFNs busy")),
    "offline": (("EBUSY", "move", "isolation failed"), ("EBUSY", "test", "PFNs busy")),
    "slab": (("EINTR", "test", "isolation failed"), ("EBUSY", "test", "PFNs busy")),
    "fresh": (("0", "", "Offlined Pages 32768"), ("0", "", None)),
}
# An ordinary allocation never gets the page. Why, and what kind of page the model has for that.
ORDINARY = {
    "pin": ("in use", "lru"),  # somebody's page; never offered
    "boot": ("never free", "reserved"),  # never in the buddy
    "hole": ("no memory", "hole"),  # never in the buddy
    "poison": ("put aside", "hwpoison"),  # taken off its list with a reference; never handed out
    "driver": ("unplugged", "offline_dirty"),  # not in the buddy: the driver holds it
    "offline": ("held", "offline"),  # not in the buddy: another driver holds it
}
# What is different in a kernel zone.
ALL_NORMAL = ALL_MOVABLE | {
    "poison": (ALL_MOVABLE["poison"][0], ("EBUSY", "isolate", None)),
    "driver": (ALL_MOVABLE["driver"][0], ("EBUSY", "isolate", None)),
    "offline": (ALL_MOVABLE["offline"][0], ("EBUSY", "isolate", None)),
    "slab": (("EBUSY", "isolate", "page dumped because: unmovable page"), ("EBUSY", "isolate", None)),
    "fresh": (("EBUSY", "isolate", "page dumped because: unmovable page"), ("EBUSY", "isolate", None)),
}
TABLE = [
    (zone, case, who, *row)
    for zone, rows in (("Movable", ALL_MOVABLE), ("Normal", ALL_NORMAL))
    for case, both in rows.items() for who, row in zip(("offline", "contig"), both, strict=True)
]  # fmt: skip


def end_of(case, who, zone="Movable", patches=STAGES[-1]):
    return Emptying(case, who, zone).end(Setting({}, patches, []))


@pytest.mark.parametrize(("zone", "case", "who", "errno", "stage", "line"), TABLE)
def test_each_case_ends_as_linux_does(zone, case, who, errno, stage, line):
    end = end_of(case, who, zone)
    assert (end.errno, end.stage) == (errno, stage)
    log = "\n".join(end.result.log)
    assert line in log if line else not log


@pytest.mark.parametrize(("zone", "case", "who", "errno", "stage", "line"), TABLE)
def test_early_is_before_anybody_is_told_and_anything_moves(zone, case, who, errno, stage, line):
    end = end_of(case, who, zone)
    told = [event.text for event in end.result.events if event.kind == "notify"]
    if stage in ("look", "isolate"):
        assert end.when == "early"
        assert not end.moved
        assert not told
    else:
        assert end.moved >= 100
        assert bool(told) == (who == "offline")
    cancelled = who == "offline" and stage in ("move", "test")
    assert any("MEM_CANCEL_OFFLINE" in text for text in told) == cancelled


@pytest.mark.parametrize("zone", ["Movable", "Normal"])
@pytest.mark.parametrize(("case", "why"), ORDINARY.items())
def test_what_is_special_is_never_offered(case, why, zone):
    machine, *_ = Emptying(case, "allocate", zone).booted(Setting({}, STAGES[-1], []))
    block = CASES[case].block
    page = (block << 15) + CASES[case].page
    before = machine.kernel.memmap.state(page)
    assert attempt(machine, "allocate", block).errno == "0"
    assert machine.kernel.memmap.state(page) == before
    assert machine.kernel.memmap.count(block << 15, (block + 1) << 15, codes(FREE)) == 0
    ((more, _),) = machine.pages.runs(machine.pages.held(MORE))
    assert more >> 15 != block
    end = end_of(case, "allocate", zone)
    assert (str(patch6.mark(end)), end.kept, end.got[1]) == (f"– {why[0]}", why[1], "memory0, in ZONE_NORMAL")


def test_a_free_page_that_is_poisoned_is_never_handed_out():
    machine = Machine(boot_memory="128M", zone_of=[("addr:0", "addr:128M", "Movable")])
    machine.place("addr:64M", "hwpoison_buddy")
    assert machine.attempt("allocate", "all", "128M").errno == "ENOMEM"
    assert machine.attempt("allocate", "all but one", (32768 - 1) * 4096).errno == "0"


def test_a_cell_says_how_it_ends_and_when():
    marks = {cell: str(mark) for cell, mark in patch6.special_cases().marks.items()}
    assert {case: marks[case, "allocate"] for case in SPECIAL.values()} == {
        case: f"– {why}" for case, (why, _) in ORDINARY.items()}
    for case in SPECIAL.values():
        for who, (errno, stage, _) in zip(("offline", "contig"), ALL_MOVABLE[case], strict=True):
            when = "early" if stage in ("look", "isolate") else "late"
            said = {"0": "✓ goes", "EINTR": "▲ no end"}.get(errno, f"✗ {errno} {when}")
            assert marks[case, who] == said


@pytest.mark.parametrize("case", CASES)
def test_the_series_changes_none_of_it_but_what_the_log_says(case):
    stages = STAGES[5:] if case == "driver" else STAGES  # before patch 5 such a block isn't in ZONE_MOVABLE
    for who in WHO.values():
        ends = [end_of(case, who, patches=stage) for stage in stages]
        assert len({(end.errno, end.stage, end.moved) for end in ends}) == 1
        assert ends[-2].result.log == ends[-1].result.log


@pytest.mark.parametrize(("zone", "case", "who", "errno", "stage", "line"), TABLE)
def test_a_run_shows_the_stage_that_ended_it(zone, case, who, errno, stage, line):
    (telling,) = Emptying(case, who, zone).tell(Setting({}, STAGES[-1], [])).tellings
    views = [telling.draw(step) for step in range(telling.steps)]
    table = str(views[-1].after[0]).splitlines()
    stages = ("look", "isolate", "tell", "move", "test")
    signs = {row.split()[0]: row.split()[1] for row in table if row.startswith(stages)}
    expected = "" if not stage else "▲" if errno == "EINTR" else "✗"
    tried = ["move"] if (case, who) == ("pin", "contig") else []  # a page that stays; the test at the end says so
    assert [name for name, sign in signs.items() if sign in "▲✗"] == tried + ([stage] if stage else [])
    assert signs.get(stage, "") == expected
    assert len(views) == len(patch6.reached(end_of(case, who, zone))) + 2
