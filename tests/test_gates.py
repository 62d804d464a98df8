"""The gates of has_unmovable_pages(): they are the code's tests, and a walk is what a run did at them."""

import ast

import pytest

from mmsim import Machine, draw, questions, series
from mmsim.chapters import patch2
from mmsim.draw.gate_steps import FUNCTION, gates, is_comment, walk
from mmsim.draw.gates import MARKS, WORDS, steps
from mmsim.mm import page_isolation
from mmsim.mm.memmap import KINDS
from mmsim.questions.data import question_of
from mmsim.series import BASE, STAGES
from mmsim.widgets.telling import Setting

PFN = patch2.PFN
# The gate that decides, in ZONE_NORMAL for offlining and for alloc_contig_range(), and in ZONE_MOVABLE for both.
DECIDES = {
    "free": (5, 5, 3), "pcp": (5, 5, 3), "lru": (8, 8, 3), "lru_pinned": (8, 8, 3), "slab": (9, 9, 3),
    "reserved": (2, 2, 2), "hwpoison": (6, 9, 3), "offline": (7, 9, 3), "hugetlb": (4, 4, 3),
}  # fmt: skip


@pytest.mark.parametrize("what", DECIDES)
@pytest.mark.parametrize(("zone", "column"), [("Normal", 0), ("Movable", 2)])
def test_which_gate_decides(what, zone, column):
    walks = [walk(patch2.one_page(STAGES[2], zone, what), PFN, flags) for flags in patch2.ASKERS.values()]
    last = DECIDES[what][column : column + 2] if column == 0 else DECIDES[what][2:] * 2
    assert tuple(each.end for each in walks) == last
    for each in walks:
        assert each.gates == tuple(range(each.end + 1))
        assert each.stuck == (each.answer is not None) == (each.end in (2, 9))


def test_every_page_of_the_chapter_is_in_the_table():
    assert set(DECIDES) == set(patch2.PAGES.values())


@pytest.mark.parametrize("changes", [*STAGES, frozenset({"restrict-movable-shortcut"})])
def test_the_gates_are_all_the_tests_of_the_listing(changes):
    found = gates(BASE | changes)
    shown = [text for gate in found for _, text in gate.lines]
    rest = [line for line in series.listing(FUNCTION, changes).splitlines() if line not in shown]
    assert [line.split()[0] for line in rest] == ["def", "for", "return"]
    assert [gate.number for gate in found] == list(range(10))


def test_each_test_has_its_words():
    assert [gate.test for gate in gates(BASE)] == list(WORDS)


def test_the_patch_moves_the_comment_on_reserved_pages_to_their_gate():
    before, after = (gates(BASE | STAGES[n]) for n in (1, 2))
    assert [gate.number for gate in before if "boot" in gate.comment] == [0, 9]
    assert [gate.number for gate in after if "Boot" in gate.comment] == [2]
    assert [gate.test for gate in before] == [gate.test for gate in after]


def test_the_lines_of_a_walk_are_those_that_ran():
    machine = patch2.one_page(STAGES[2], "Normal", "hwpoison")
    ran = walk(machine, PFN, ("MEMORY_OFFLINE",)).lines
    told = {text.strip() for gate in gates(machine.kernel.changes) for number, text in gate.lines if number in ran}
    assert {"if page.reserved:", "if k.page_count(pfn) == 0:"} <= told
    assert not any(is_comment(text) for text in told)
    assert not any("page.offline" in text for text in told)


def test_a_page_that_is_not_looked_at_has_no_walk():
    machine = patch2.one_page((), "Normal", "reserved")
    with pytest.raises(ValueError, match=r"doesn't look at the page 0x3005 by itself"):
        walk(machine, PFN + 5)


@pytest.mark.parametrize(("migratetype", "answer"), [("CMA", None), ("Movable", PFN)])
def test_only_cma_itself_may_isolate_its_pageblock(migratetype, answer):
    machine = patch2.one_page((), "Normal", "free")
    machine.set_pageblock(PFN, "CMA")
    found = walk(machine, PFN, (), migratetype)
    assert (found.gates, found.stuck, found.answer) == ((0,), answer is not None, answer)


# -- the order is part of the answer -------------------------------------------------------------------


def exchanged(gate):
    """The listing of the function with a gate and the next one exchanged, as a function."""
    text = series.listing(FUNCTION, STAGES[2])
    tree = ast.parse(text)
    (loop,) = (node for node in tree.body[0].body if isinstance(node, ast.For))
    body = loop.body
    body[gate - 1], body[gate] = body[gate], body[gate - 1]
    space = dict(vars(page_isolation))
    exec(compile(ast.fix_missing_locations(tree), "<listing>", "exec"), space)
    return space[FUNCTION.__name__]


@pytest.mark.parametrize("gate", range(1, 8))
def test_gates_two_and_three_can_t_change_places(gate, monkeypatch):
    def answers():
        return {(zone, what, asker): patch2.one_page(STAGES[2], zone, what).has_unmovable(PFN, flags)
                for zone in ("Normal", "Movable") for what in patch2.PAGES.values()
                for asker, flags in patch2.ASKERS.items()}  # fmt: skip

    before = answers()
    monkeypatch.setattr("mmsim.machine.inside.has_unmovable_pages", exchanged(gate))
    after = answers()
    changed = {(zone, what) for zone, what, asker in before if before[zone, what, asker] != after[zone, what, asker]}
    assert changed == ({("Movable", "reserved")} if gate == 2 else set())


@pytest.mark.parametrize(("gate", "end"), [(2, "ENDLESS"), (4, "EBUSY")])
def test_with_those_two_exchanged_offlining_tries_without_end(gate, end, monkeypatch):
    monkeypatch.setattr("mmsim.mm.page_isolation.has_unmovable_pages", exchanged(gate))
    zones = [("addr:0", "addr:128M", "Normal"), ("addr:128M", "addr:256M", "Movable")]
    machine = Machine(STAGES[2], "256M", zone_of=zones)
    machine.place("block:1+300", "reserved")
    assert machine.attempt("write", "memory1/state", "offline").errno == end


# -- the figure ----------------------------------------------------------------------------------------


def figure(step, what="hwpoison", zone="Normal"):
    machine = patch2.one_page(STAGES[2], zone, what)
    walks = {name: walk(machine, PFN, flags) for name, flags in patch2.ASKERS.items()}
    return draw.walked(machine, "A page", PFN, walks, step)


def test_what_is_to_come_is_not_shown():
    for step in range(1, 10):
        shown = figure(step)
        for name in shown.walks:
            assert not any(shown.heard(name, gate) for gate in shown.gates[step:])
    assert "mmsim-lane-passes" not in figure(6).body()
    assert "mmsim-lane-stuck" not in figure(9).body()


def test_each_who_asks_has_a_lane():
    assert "offlining: passes  alloc_contig_range(): no" in figure(7).text
    assert "alloc_contig_range(): stuck" in figure(10).text


def test_the_sentence_tells_who_heard_what():
    assert figure(0).says == "The page stands before gate 0. Of 10 gates, which will decide?"
    assert figure(7).says == (
        "Gate 6: Offlining, and is it poisoned? For offlining yes, the page passes: nobody will get it again. "
        "For alloc_contig_range() no."
    )
    assert figure(3, "reserved", "Movable").says.endswith("So has_unmovable_pages() returns page 0x3000.")
    assert figure(10).says.endswith("For alloc_contig_range() has_unmovable_pages() returns page 0x3000.")


def test_the_code_of_the_gate_is_shown_with_its_comment_and_who_ran_it():
    html = figure(7).html()
    assert "Gate 6 in the code" in html
    assert "# Will never be handed out again." in html
    assert html.count('<li class="mmsim-did"') == 2


def test_a_page_is_told_by_what_the_tests_can_know():
    said = "48 MiB in ZONE_NORMAL, pageblock labelled Movable; references: 1; marks: poisoned"
    assert said in figure(0).description


# -- the chapter ---------------------------------------------------------------------------------------


def test_paper_shows_the_step_before_the_last_verdict():
    (telling,) = patch2.Asking({"what": "hwpoison", "zone": "Normal"}).tell(Setting({}, STAGES[0], [])).tellings
    assert (telling.steps, telling.paper) == (11, 9)


def test_the_facts_given_to_a_reader_s_list_are_those_of_the_kinds():
    kinds = {kind.name: kind for kind in KINDS} | {"lru_pinned": next(kind for kind in KINDS if kind.name == "lru")}
    for page in question_of("patch2/write-the-list")["trials"]["page"]:
        kind = kinds[page["kind"]]
        marks = {name for name in MARKS if getattr(kind, name)}
        assert set(page["marks"]) == marks, page
        assert page["refcount"] == kind.refcount + (page["kind"] == "lru_pinned")
        assert page["pfn"] == PFN


def test_steps_end_with_the_last_verdict():
    assert steps(figure(0).walks) == 10


def test_the_verdict_on_a_reader_s_list_has_one_notation_for_pfns():
    code = "def has_unmovable(page, zone, flags):\n    return None"
    message = questions.check("patch2/write-the-list", {"code": code}).message
    assert "'pfn': 0x3000" in message
    assert message.endswith("the model gives 0x3000.")
