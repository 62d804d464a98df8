"""The picture of a series' versions, the guest of the chapter on the review, and questions about further changes."""

import pytest

from mmsim import STAGES, Machine, draw, series
from mmsim.chapters import patch6, review
from mmsim.draw import Version
from mmsim.questions import check, claims, solve
from mmsim.questions.data import filled
from mmsim.widgets.telling import Setting

HISTORY = [Version("v1", "May", ("2", "1", "D"), ["First."]), Version("v2", "June", ("1", "2", "3"), ["*Then*."]),
           Version("v3", "July", (), ["Words."])]  # fmt: skip
NAMES = {"1": "one", "2": "two", "3": "three", "D": "gone"}


def test_versions_say_in_text_what_they_show():
    figure = draw.versions(HISTORY, NAMES, "Versions")
    assert [row[:3] for row in figure.table.rows] == [
        ("v1", "May", "2 1 D"), ("v2", "June", "1 2 3"), ("v3", "July", "1 2 3")]
    assert "Then." in figure.text


def test_a_patch_that_moves_has_a_line_of_its_own_and_one_that_goes_a_cross():
    html = draw.versions(HISTORY, NAMES, "Versions").html()
    wide = html.split('<div class="mmsim-narrow">')[1].split('<div class="mmsim-wide">')[1]
    assert wide.count('class="mmsim-route"') == 2
    assert wide.count("✗") == wide.count(">new<") == 1
    assert html.count("<svg") == 4  # two orders, each for a wide and a narrow page


def test_a_patch_that_stays_has_a_thin_line():
    html = draw.versions([HISTORY[1], Version("v3", "", ("1", "3", "2"), [])], NAMES, "Versions").html()
    assert html.count("mmsim-route-stays") - html.count(".mmsim-route-stays") == 2  # wide and narrow


def test_the_orders_of_the_chapter_are_those_of_the_series():
    assert [frozenset(map(int, review.MERGED[:n])) for n in range(7)] == list(series.MERGED_STAGES)
    assert [frozenset(map(int, review.V2[:n])) for n in range(7)] == list(STAGES)


@pytest.mark.parametrize(("kind", "series_alone", "with_dropped"), [
    ("slab", (100, 4), (0, 4)), ("lru_pinned", (100, 4), (100, 4)), ("pagevec", (101, 0), (0, 0)),
])
def test_what_the_dropped_patch_saves_and_costs_a_guest(kind, series_alone, with_dropped):
    assert [review.shrunk(patches, kind) for patches in review.WITH.values()] == [series_alone, with_dropped]


def test_a_question_may_be_about_a_change_that_is_no_patch_of_the_series():
    assert filled("review/just-now", 0).scene("dropped").patches == STAGES[-1] | {review.DROPPED}
    assert review.DROPPED in check("review/difference", solve("review/difference").answer).run["patches"]


def test_the_steps_that_the_dropped_patch_decides_fail_late_without_it():
    logs = []
    for patches in review.WITH.values():
        machine = Machine(patches, boot_memory="128M", zone_of=[("addr:0", "addr:128M", "Movable")])
        machine.allocate("program", "400K", within=("addr:48M", "addr:52M"))
        machine.poison("addr:48M")
        logs.append(machine.attempt("alloc_contig", "addr:48M", "addr:52M").log)
    assert [any("PFNs busy" in line for line in log) for log in logs] == [True, False]


def test_a_kernel_in_words():
    assert claims.kernel([]) == "before the series"
    assert claims.kernel({3}) == "with patch 3"
    assert claims.kernel({1, 2, 3}) == "with patches 1 to 3"
    assert claims.kernel({2, 1, review.DROPPED}) == "with patches 1, 2 and restrict-movable-shortcut"


@pytest.mark.parametrize("case", ["slab", "poison", "offline", "fresh"])
def test_a_call_that_is_refused_early_is_told_why_in_its_kernel(case):
    told = []
    for patches in review.WITH.values():
        (telling,) = patch6.Emptying(case, "contig").tell(Setting({}, patches, [])).tellings
        told.append("Isolation looks at every page here" in telling.draw(telling.last).says)
    assert told == [False, True]
