"""The six patches as data; and the listing of a function at a stage is the code that runs."""

import ast
import inspect
from itertools import combinations

import pytest

from mmsim import Machine
from mmsim.mm import page_isolation
from mmsim.mm.page_isolation import has_unmovable_pages, set_migratetype_isolate
from mmsim.series import MERGED_STAGES, PATCHES, STAGES, listing
from mmsim.virtio_mem import hotplug
from mmsim.virtio_mem.driver import VirtioMem

ALL_SETS = [frozenset(c) for n in range(7) for c in combinations(range(1, 7), n)]
CHANGED = {function.__qualname__: function for patch in PATCHES for function in patch.functions}
ISOLATE, GOING, ONLINE = "set_migratetype_isolate", "Hotplug.going_online", "Hotplug.online"


def name(patches):
    return "".join(map(str, sorted(patches))) or "none"


# -- the data ------------------------------------------------------------------------------------------


def test_there_are_six_patches_in_the_order_of_v2():
    assert [patch.number for patch in PATCHES] == [1, 2, 3, 4, 5, 6]


def test_they_were_merged_with_the_first_two_swapped():
    assert [patch.merged for patch in PATCHES] == [2, 1, 3, 4, 5, 6]
    assert [patch.commit for patch in sorted(PATCHES, key=lambda p: p.merged)] == [
        "c9c510dc2964", "51030a53d81e", "48381d7e4c1f", "1c31cb493c31", "27f852795a06", "9181a980625a"]


def test_2_4_and_6_are_neutral():
    assert [patch.number for patch in PATCHES if patch.neutral] == [2, 4, 6]


def test_stages_add_one_patch_each():
    for stages, order in ((STAGES, [1, 2, 3, 4, 5, 6]), (MERGED_STAGES, [2, 1, 3, 4, 5, 6])):
        assert [set(stage) for stage in stages] == [set(order[:n]) for n in range(7)]


def test_a_patch_names_the_functions_that_ask_for_it():
    for patch in PATCHES:
        for function in patch.functions:
            asked = f"patched({patch.number})" in inspect.getsource(function)
            assert asked == (patch.number in (1, 3, 4, 5))


def test_no_other_function_asks_for_a_patch():
    for module in (page_isolation, hotplug):
        named = sum(inspect.getsource(f).count("patched(") for f in CHANGED.values() if f.__module__ == module.__name__)
        assert inspect.getsource(module).count("patched(") == named


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
]


@pytest.mark.parametrize(("function", "line", "stages"), LINES)
def test_which_stages_have_a_line(function, line, stages):
    assert {n for n, stage in enumerate(STAGES) if line in listing(CHANGED[function], stage)} == stages


@pytest.mark.parametrize("patch", [2, 6])
@pytest.mark.parametrize("function", CHANGED)
def test_comments_change_no_listing(function, patch):
    for patches in ALL_SETS:
        assert listing(CHANGED[function], patches) == listing(CHANGED[function], patches ^ {patch})


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
    source = inspect.getsource(has_unmovable_pages)
    docstring = inspect.getsource(has_unmovable_pages).split('"""')[1]
    left = [line for line in source.replace(f'    """{docstring}"""\n', "").splitlines() if line.strip()]
    assert listing(has_unmovable_pages, {1}).splitlines() == [
        "def has_unmovable_pages(k, zone, pfn, migratetype, isol_flags):", *left[1:]
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
    for others in (frozenset(), frozenset(range(1, 7)), frozenset(range(1, 7)) - patches):
        assert isolation_results(others) == expected  # the machine's own patches no longer matter


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
    for others in (frozenset(), frozenset(range(1, 7))):
        assert onlining_results(others) == expected


def test_stages_that_differ_in_a_listing_differ_in_code():
    """S0, S1, S3 and S4 of the isolation are four programs; S2, S5 and S6 repeat their neighbour."""
    code = [ast.dump(ast.parse(listing(set_migratetype_isolate, stage))) for stage in STAGES]
    assert [code[n] == code[n + 1] for n in range(6)] == [False, True, False, False, True, True]
