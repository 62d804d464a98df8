"""Functions of the kernel that a reader writes: what a search finds out about them, and what is shown of it."""

import pytest

from mmsim.mm import page_isolation
from mmsim.questions import check, problem, solve
from mmsim.questions.data import question_of, variants
from mmsim.questions.replacing import Written, in_place
from mmsim.widgets.stories import opened

NAME = "patch4/repair"
WORKED = solve(NAME).answer["code"]
FAULTS = [  # of the variants, in their order: what the verdict says, and the moment at which it opens
    ("Line 3: a spin lock was taken twice", "worker stops the machine"),
    ("it can end so: offline and worker succeed", "worker is done"),
    ("pages on the CPUs' own lists in ZONE_MOVABLE can be 9 in the end, not 0", "worker isolates 46 MiB"),
    ("A spin lock was taken twice", "offline finds 46 MiB isolated, and leaves"),
    ("Line 14: a page was dumped under a zone's lock", "offline stops the machine"),
    ("isolated pageblocks in ZONE_MOVABLE can be 1 in the end, not 0", "offline finds an unmovable page at 46 MiB"),
    ("it can end so: offline and worker succeed", "worker is done"),
    ("worker fails: -EBUSY, a dumped page. With the kernel's: worker fails: -EBUSY.", "worker finds an unmovable page"),
]


@pytest.mark.parametrize(("seed", "fault"), list(enumerate(FAULTS)))
def test_the_search_finds_each_mistake(seed, fault):
    says, moment = fault
    verdict = check(NAME, {"code": problem(NAME, seed).fields[0].example}, seed)
    assert verdict.state == "wrong"
    assert says in verdict.message
    assert verdict.first.text.startswith(moment)
    assert verdict.run["stop"] == verdict.first.number


def test_each_variant_is_another_mistake():
    starts = {problem(NAME, seed).fields[0].example for seed in range(len(FAULTS))}
    assert len(starts) == len(FAULTS) == len(variants(question_of(NAME)))
    assert WORKED.strip() not in starts


def test_the_run_that_is_opened_shows_the_readers_lines():
    code = problem(NAME, 3).fields[0].example
    run = check(NAME, {"code": code}, 3).run
    telling = opened(run).telling()
    page = str(telling.draw(run["stop"]).picture)
    assert "!     return -EBUSY" in page  # the line that decides: it leaves without giving the lock back
    assert "zone.lock: held by offline" in page
    assert "ret = " not in page  # a variable that this function has not


def test_the_listing_with_a_lock_for_all_ways_out_is_right_too():
    code = """
async def set_migratetype_isolate(k, pfn, migratetype, isol_flags):
    zone = k.page_zone(pfn)
    with zone.lock:
        if is_migrate_isolate_page(k, pfn):
            return -EBUSY
        unmovable = has_unmovable_pages(k, zone, pfn, migratetype, isol_flags)
        if unmovable is None:
            isolate_pageblock(k, zone, pfn)
    if unmovable is None:
        await drain_after_isolation(k, zone, pfn)
        return 0
    if isol_flags & REPORT_FAILURE:
        k.dump_page(unmovable, "unmovable page")
    return -EBUSY
"""
    assert check(NAME, {"code": code}).right


@pytest.mark.parametrize(("old", "new", "state", "says"), [
    ("k.page_zone(pfn)", "k.zone_of(pfn)", "wrong", "Line 2: AttributeError: 'Kernel' object has no attribute"),
    ("        return 0\n", "        return zero\n", "wrong", "Line 12: NameError: name 'zero' is not defined"),
    ("return 0", "return -EBUSY", "wrong", "offline and worker lose: -EBUSY"),
    ("    zone.lock.lock()\n", "    while True: pass\n", "wrong", "no end after 300000 steps"),
    ("    zone.lock.lock()\n", "    while True: await preempt()\n", "wrong", "no end after 300000 steps"),
    ("async def", "def", "invalid", "is no Python"),
    ("await drain", "drain", "invalid", "line 11: another CPU may run in drain_after_isolation(): write await"),
    ("pfn, migratetype", "page, migratetype", "invalid", "the function is called with k, pfn, migratetype, isol_flags"),
    ("set_migratetype_isolate", "isolate", "invalid", "there is no function set_migratetype_isolate"),
    ("zone = k", "import os; zone = k", "wrong", "ImportError"),
])
def test_what_else_is_written_is_told_in_a_sentence(old, new, state, says):
    verdict = check(NAME, {"code": WORKED.replace(old, new, 1).strip()})
    assert verdict.state == state
    assert says in verdict.message


def test_a_plain_function_is_not_taken():
    verdict = check(NAME, {"code": "def set_migratetype_isolate(k, pfn, migratetype, isol_flags): return 0"})
    assert (verdict.state, verdict.message) == (
        "invalid", "another CPU may run in this function: write async def set_migratetype_isolate(…).")


def test_the_model_has_its_own_function_again():
    own = page_isolation.set_migratetype_isolate
    written = Written("mmsim.mm.page_isolation", "set_migratetype_isolate", WORKED)
    with in_place(written) as function:
        assert page_isolation.set_migratetype_isolate is function is not own
    assert page_isolation.set_migratetype_isolate is own
