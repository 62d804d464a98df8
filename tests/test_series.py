"""Known changes as data; and the listing of a function at a stage is the code that runs."""

import ast
import importlib
import inspect
import pkgutil
import re
import textwrap
from itertools import combinations

import pytest

import mmsim
from book import PAGES
from mmsim import Machine
from mmsim.chapters import glance
from mmsim.machine import inside
from mmsim.machine.pages import PLACES
from mmsim.mm import page_isolation
from mmsim.mm.page_isolation import has_unmovable_pages, set_migratetype_isolate, unset_migratetype_isolate
from mmsim.series import BASE, CHANGES, MARK, MERGED_STAGES, PATCHES, STAGES, change_asked_for, listing
from mmsim.virtio_mem import hotplug
from mmsim.virtio_mem.driver import VirtioMem

ALL_SETS = [frozenset(c) for n in range(7) for c in combinations(STAGES[6], n)]
NAMES = [change.name for change in CHANGES]
CHANGED = {function.__qualname__: function for change in CHANGES for function in change.functions}
ISOLATE, GOING, ONLINE = "set_migratetype_isolate", "Hotplug.going_online", "Hotplug.online"
UNMOVABLE, EMPTY = "has_unmovable_pages", "empty_range"


def name(patches):
    return "".join(sorted(map(str, patches))) or "none"


# -- the data ------------------------------------------------------------------------------------------


def test_there_are_six_patches_in_the_order_of_v2():
    assert [patch.number for patch in PATCHES] == [1, 2, 3, 4, 5, 6]


def test_they_were_merged_with_the_first_two_swapped():
    assert [patch.merged for patch in PATCHES] == [2, 1, 3, 4, 5, 6]
    assert [patch.commit for patch in sorted(PATCHES, key=lambda p: p.merged)] == [
        "c9c510dc2964", "51030a53d81e", "48381d7e4c1f", "1c31cb493c31", "27f852795a06", "9181a980625a"]


def test_every_change_has_a_name_of_its_own():
    assert len(set(NAMES)) == len(CHANGES)


def test_what_is_no_patch_of_v2_has_a_word_for_a_name():
    others = [change for change in CHANGES if change not in PATCHES]
    assert [(change.name, change.commit) for change in others] == [
        ("restrict-movable-shortcut", None), ("drain-again", "9683182612214")]
    assert all(change.number is None and change.merged is None for change in others)


def test_the_series_is_applied_to_a_kernel_that_drains_again():
    assert {"drain-again"} == BASE


def test_2_4_and_6_are_neutral():
    assert [patch.number for patch in PATCHES if patch.neutral] == [2, 4, 6]


def test_stages_add_one_patch_each():
    for stages, order in ((STAGES, [1, 2, 3, 4, 5, 6]), (MERGED_STAGES, [2, 1, 3, 4, 5, 6])):
        assert [set(stage) for stage in stages] == [set(order[:n]) for n in range(7)]


def asked_for(source):
    """The names of the changes that a source asks for, in a condition or by the mark of a comment."""
    calls = [node for node in ast.walk(ast.parse(source)) if change_asked_for(node) is not None]
    marks = filter(None, map(MARK.match, source.splitlines()))
    return {*map(change_asked_for, calls), *(int(m[3]) if m[3].isdecimal() else m[3] for m in marks)}


@pytest.mark.parametrize("function", CHANGED)
def test_a_change_names_the_functions_that_ask_for_it(function):
    named = {change.name for change in CHANGES if CHANGED[function] in change.functions}
    assert asked_for(textwrap.dedent(inspect.getsource(CHANGED[function]))) == named


def test_no_other_code_asks_for_a_change():
    modules = [importlib.import_module(m.name) for m in pkgutil.walk_packages(mmsim.__path__, "mmsim.")
               if m.name != "mmsim.__main__"]
    sources = "".join(map(inspect.getsource, modules))
    for pattern in (r"\bk\.patched\(.*\)[ :]", MARK.pattern):
        named = sum(len(re.findall(pattern, inspect.getsource(function))) for function in CHANGED.values())
        assert len(re.findall(pattern, sources)) == named > 0


# -- what a listing says -------------------------------------------------------------------------------

# function, line (a part of it), the stages S0 to S6 whose listings have it
LINES = [
    (ISOLATE, "# We assume that the caller", {1, 2, 3, 4, 5, 6}),
    (ISOLATE, "    if not is_migrate_isolate_page", {0}),
    (ISOLATE, "warn_on_once", {0, 1, 2}),
    (ISOLATE, "isol_flags & REPORT_FAILURE and unmovable is not None", {0, 1, 2, 3}),
    (ISOLATE, "if isol_flags & REPORT_FAILURE:", {4, 5, 6}),
    (ISOLATE, "isolate_pageblock(k, zone, pfn)", set(range(7))),
    (ISOLATE, "await drain_after_isolation", set(range(7))),
    (GOING, "MOVABLE not supported", {0, 1, 2, 3, 4}),
    (GOING, "memory block onlining denied", set(range(7))),
    (ONLINE, "ONLINE_MOVABLE", {0, 1, 2, 3, 4}),
    (ONLINE, "ONLINE_PARTIAL", set(range(7))),
    (UNMOVABLE, "    # Could be cheaper for ZONE_MOVABLE", {0, 1}),
    (UNMOVABLE, "        # Boot allocations and memory holes", {2, 3, 4, 5, 6}),
    (UNMOVABLE, "        # In use, and nothing that could be moved.", {0, 1}),
    (UNMOVABLE, "        if zone.index == ZONE_MOVABLE:", set(range(7))),
    (EMPTY, "        drained = drain_all_pages(k, zone)", set(range(7))),
]


@pytest.mark.parametrize(("function", "line", "stages"), LINES)
def test_which_stages_have_a_line(function, line, stages):
    assert {n for n, stage in enumerate(STAGES) if line in listing(CHANGED[function], stage)} == stages


def code(text):
    """A listing without its comments, as a syntax tree."""
    return ast.dump(ast.parse(text))


@pytest.mark.parametrize("patch", [2, 6])
@pytest.mark.parametrize("function", CHANGED)
def test_a_patch_of_comments_changes_no_code(function, patch):
    for patches in ALL_SETS:
        one, other = (listing(CHANGED[function], p) for p in (patches, patches ^ {patch}))
        assert code(one) == code(other)
        assert (one == other) == ((function, patch) != (UNMOVABLE, 2))


def test_without_a_change_of_the_base_the_listing_is_without_it_too():
    assert "drain_all_pages" not in listing(CHANGED[EMPTY], STAGES[6], base=())
    assert "drain_all_pages" in listing(CHANGED[EMPTY], {"drain-again"}, base=())


def test_the_dropped_patch_acts_inside_the_decision():
    text = listing(has_unmovable_pages, {"restrict-movable-shortcut"})
    assert "        if zone.index == ZONE_MOVABLE and isol_flags & MEMORY_OFFLINE:\n" in text


def test_a_change_that_is_not_known_is_refused():
    with pytest.raises(ValueError, match=r"7 is no known change; known are 1, 2, 3, 4, 5, 6, restrict-"):
        listing(has_unmovable_pages, {1, 7})


def test_the_listing_of_the_decision_has_the_tests_of_linux_in_their_order():
    (definition,) = ast.parse(listing(has_unmovable_pages, STAGES[6])).body
    cma, loop, found_none = definition.body
    assert [ast.unparse(test.test) for test in [cma, *loop.body[:-1]]] == [
        "is_migrate_cma_page(k, start)",
        "page is KINDS[ABSENT]",
        "page.reserved",
        "zone.index == ZONE_MOVABLE",
        "page.compound",
        "k.page_count(pfn) == 0",
        "isol_flags & MEMORY_OFFLINE and page.hwpoison",
        "isol_flags & MEMORY_OFFLINE and page.offline",
        "page.lru or page.movable_ops",
    ]
    assert [ast.unparse(end) for end in (loop.body[-1], found_none)] == ["return pfn", "return None"]


@pytest.mark.parametrize("patches", ALL_SETS, ids=name)
@pytest.mark.parametrize("function", CHANGED)
def test_a_listing_is_straight_code(function, patches):
    text = listing(CHANGED[function], patches)
    (definition,) = ast.parse(text).body
    assert definition.name == function.rpartition(".")[2]
    assert "patched" not in text
    assert ast.get_docstring(definition) is None
    assert "\n\n" not in text
    assert text.endswith("\n")


def test_a_comment_inside_a_folded_condition_stays():
    assert "# Nothing unmovable should be in there" in listing(set_migratetype_isolate, ())
    assert "# Nothing unmovable should be in there" not in listing(set_migratetype_isolate, {3})


def test_a_function_without_conditions_is_its_source_without_docstring_and_annotations():
    source = inspect.getsource(unset_migratetype_isolate)
    docstring = source.split('"""')[1]
    left = [line for line in source.replace(f'    """{docstring}"""\n', "").splitlines() if line.strip()]
    assert listing(unset_migratetype_isolate, {1}).splitlines() == [
        "def unset_migratetype_isolate(k, pfn, migratetype):", *left[1:]
    ]


class Toy:
    def patched(self, n):
        return n in self.patches


def toy(k, x):
    """Conditions in all the shapes that a patch may have."""
    if k.patched(1):
        x += 1
    if not k.patched(1):
        x += 2
    if k.patched(2) and x > 0:
        x += 4
    if k.patched(2) or x == 2:
        x += 8
    if x > 100 and (k.patched(3) or x < 200):
        x += 16
    if not k.patched(3) and (x > 0 or x < -5):  # a comment on the line
        # another
        x += 32
    if k.patched(1) or k.patched(2):
        x += 64
        if k.patched(3):
            x += 128
    return x


@pytest.mark.parametrize("patches", [frozenset(c) for n in range(4) for c in combinations((1, 2, 3), n)], ids=name)
def test_folding_keeps_the_meaning(patches):
    k, space = Toy(), {}
    k.patches = patches
    exec(compile(listing(toy, patches), "<listing>", "exec"), space)
    assert [space["toy"](None, x) for x in range(-210, 210)] == [toy(k, x) for x in range(-210, 210)]


# -- it is the code that runs --------------------------------------------------------------------------


def listed(function, patches, module):
    """The function of a listing, compiled in place of the original."""
    space = dict(vars(module))
    exec(compile(listing(function, patches), "<listing>", "exec"), space)
    return space[function.__name__]


def isolation_results(patches):
    """All that can be seen of isolations that succeed, fail and race, in two zones, with and without a report."""
    found = []
    for zone in (0, 32768):
        for report in ((), ("REPORT_FAILURE",)):
            machine = Machine(patches, "256M", zone_of=[("block:1", "block:2", "Movable")])
            machine.place(zone + 512, "reserved")
            for pfn in (zone, zone + 512, zone):
                result = machine.attempt("isolate", pfn, pfn + 512, report)
                found.append((result.errno, result.panic, [(e.kind, e.text, e.data) for e in result.events]))
                if result.panic:
                    break
    return found


@pytest.mark.parametrize("patches", ALL_SETS, ids=name)
def test_the_listing_of_isolation_is_what_runs(patches, monkeypatch):
    expected = isolation_results(patches)
    monkeypatch.setattr(page_isolation, ISOLATE, listed(set_migratetype_isolate, patches, page_isolation))
    for others in (STAGES[0], STAGES[6], STAGES[6] - patches):
        assert isolation_results(others) == expected  # the machine's own patches no longer matter


def unmovable_results(changes):
    """What is found in a pageblock with each state that a page can be placed in, in two zones, with each flag."""
    found = []
    for zone in (0, 32768):
        for kind in PLACES:
            machine = Machine(changes, "256M", zone_of=[("block:1", "block:2", "Movable")])
            machine.place(zone, kind)
            found += [machine.has_unmovable(zone, flags) for flags in ((), ("MEMORY_OFFLINE",))]
        machine.set_pageblock(zone, "CMA")
        found += [machine.has_unmovable(zone, (), migratetype) for migratetype in ("CMA", "Movable")]
    return found


@pytest.mark.parametrize("changes", [*STAGES, frozenset({"restrict-movable-shortcut"})], ids=name)
def test_the_listing_of_the_decision_is_what_runs(changes, monkeypatch):
    expected = unmovable_results(changes)
    monkeypatch.setattr(inside, UNMOVABLE, listed(has_unmovable_pages, changes, page_isolation))
    for others in (STAGES[0], frozenset(NAMES)):
        assert unmovable_results(others) == expected


def onlining_results(patches):
    """What becomes of a full and of a partial block in each zone, and of a block that is online already."""
    found = []
    for word in ("online_kernel", "online_movable"):
        keys = {"addr": "512M", "region": "512M", "requested": "192M"}
        machine = Machine(patches, "128M", virtio_mem=keys, zone_of=[("block:0", "block:1", "Normal")])
        for number in (4, 5, 4):
            result = machine.attempt("write", f"memory{number}/state", word)
            found.append((result.errno, result.log, dict(machine.driver.mb_state)))
        found.append(machine.driver.going_online(4))
    return found


@pytest.mark.parametrize("patches", [*STAGES, frozenset({5})], ids=name)
def test_the_listings_of_the_driver_are_what_runs(patches, monkeypatch):
    expected = onlining_results(patches)
    for method in (VirtioMem.going_online, VirtioMem.online):
        monkeypatch.setattr(VirtioMem, method.__name__, listed(method, patches, hotplug))
    for others in (STAGES[0], STAGES[6]):
        assert onlining_results(others) == expected


def test_stages_that_differ_in_a_listing_differ_in_code():
    """S0, S1, S3 and S4 of the isolation are four programs; S2, S5 and S6 repeat their neighbour."""
    trees = [code(listing(set_migratetype_isolate, stage)) for stage in STAGES]
    assert [trees[n] == trees[n + 1] for n in range(6)] == [False, True, False, False, True, True]


# -- the page that shows all six -----------------------------------------------------------------------


def test_the_page_of_six_has_the_title_and_the_mail_of_each_patch():
    (page,) = (page for page in PAGES if page.name == "series/index")
    rows = re.findall(r"^\| (?:\[(\d)\]\(patch\1\.ipynb\)|(\d)) \| \[(.+)\]\(\S+\.36210-(\d)-", page.text, re.MULTILINE)
    assert [(int(linked or plain), title, int(mail) - 1) for linked, plain, title, mail in rows] == [
        (patch.number, patch.title, patch.number) for patch in PATCHES]


def test_a_number_leads_to_a_chapter_where_there_is_one():
    (page,) = (page for page in PAGES if page.name == "series/index")
    there = {page.name for page in PAGES}
    assert {n for n in range(1, 7) if f"[{n}](patch{n}.ipynb)" in page.text} == {
        n for n in range(1, 7) if f"series/patch{n}" in there}


def test_the_map_has_every_patch_at_the_file_that_it_changes():
    at = dict(re.findall(r"\((\S+)\): .* (No patch|Patch \d|Patches .*);", glance.together().text))
    assert at.pop("mm/memory_hotplug.c") == "No patch"
    assert {file: re.findall(r"\d", patches) for file, patches in at.items()} == {
        file: [str(p.number) for p in PATCHES if file in p.files] for file in {f for p in PATCHES for f in p.files}}
