"""Orders of patches: the board and the map, what they say of each kernel, and the questions that ask for an order."""

import re
from dataclasses import replace
from itertools import permutations
from xml.etree import ElementTree

import pytest

pytest.importorskip("ipywidgets")

from mmsim import draw
from mmsim.chapters import order
from mmsim.draw import Lane, Stage
from mmsim.draw.figure import STYLE
from mmsim.questions import check, orders, problem, solve
from mmsim.questions.data import filled, read
from mmsim.scenario import ScenarioError

pytestmark = pytest.mark.usefixtures("no_loop")
CARDS = [(5, "virtio-mem"), (4, "cleanup"), (1, "early return")]
LANE = Lane("Mine", CARDS, [Stage(0, True), Stage(2, True), Stage(3, True), Stage(1, False)], range(4), 2)


# -- drawn ---------------------------------------------------------------------------------------------


def test_a_board_is_drawn_for_both_widths_and_told_as_a_table():
    figure = draw.board([LANE], "An order")
    assert figure.content.count("<svg") == 2
    for name, words in (("wide", ["✗ crash", "▸◂ EBUSY"]), ("narrow", ["✗", "▸◂"])):
        svg = re.search(rf'<div class="mmsim-{name}">(<svg.*?</svg>)', figure.content)[1]
        texts = [text.text for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
        assert set(words) <= set(texts)
        assert {"5", "4", "1", "virtio-mem", "early return"} <= set(texts)
    assert [row[1:] for row in figure.table.rows] == [
        ("0", "none", "– nothing", "▲ warns"), ("1", "5", "▲ warns", "▲ warns"),
        ("2", "4, 5", "✗ crash", "▲ warns"), ("3", "1, 4, 5", "▸◂ EBUSY", "– quiet"),
    ]  # fmt: skip


def test_what_is_not_seen_yet_is_not_told():
    figure = draw.board([Lane("Mine", CARDS, LANE.stages, range(2), 1)], "An order")
    assert "crash" not in figure.text
    assert "✗" not in figure.html(style=False)
    assert figure.content.count("mmsim-stop-unseen") == 2 * 2
    assert figure.content.count("mmsim-stop-here") == 2


def test_a_line_leads_only_from_one_stage_that_is_seen_to_the_next():
    some = draw.board([Lane("Mine", CARDS, LANE.stages, {0, 2, 3})], "An order")
    assert some.content.count("mmsim-route") == 2, "once for each width"


def test_what_a_boot_page_does_is_told_only_if_it_is_known():
    figure = draw.board([Lane("Mine", CARDS, [Stage(0), Stage(1), Stage(2), Stage(3)], range(4))], "An order")
    assert "boot" not in figure.html(style=False)
    assert {len(row) for row in (figure.table.header, *figure.table.rows)} == {4}


def test_all_orders_come_with_the_harmless_ones_first():
    figure = draw.orders({(1, 2): 3, (2, 1): 1}, {(1, 2): "mine"}, "All")
    assert [line.split() for line in figure.text.splitlines()[2:]] == [
        ["2", "1", "▸◂", "EBUSY"], ["1", "2", "✗", "crash", "mine"]]
    assert figure.content.index("mmsim-mark-ok") < figure.content.index('mmsim-mark-bad mmsim-named" title="mine"')


def test_the_style_sheet_knows_every_class():
    used = set()
    for figure in (draw.board([LANE], "An order"), draw.orders({(1,): 0, (2,): 1, (3,): 2, (4,): 3}, {}, "All")):
        classes = re.findall(r'class="([^"]*)', figure.html(style=False))
        used |= {name for value in classes for name in value.split()}
    assert used <= set(re.findall(r"\.(mmsim-[a-z-]+)", STYLE)) | {"mmsim-mark-ok"}


# -- what the chapter says -----------------------------------------------------------------------------


@pytest.mark.parametrize(("zone", "counts"), [
    ("ZONE_MOVABLE", (13, 3, 8)), ("ZONE_NORMAL", (12, 0, 12)), (order.BOTH, (9, 3, 12)),
])
def test_how_many_orders_are_how_bad(zone, counts):
    levels = list(order.every_order(zone).values())
    assert (sum(level < 2 for level in levels), levels.count(2), levels.count(3)) == counts


@pytest.mark.parametrize("zone", [*order.ZONES, order.BOTH])
def test_the_sentence_above_all_orders_says_what_they_show(zone):
    lab = order.every()
    lab.inputs["zone"].value = zone
    assert lab.walk.slider.value == 0
    assert "✗" not in lab.text
    lab.walk.slider.value = 4
    view = lab.walk.look(4)
    worse = [str(view.picture).count(word) for word in ("✗", "▲")]
    assert view.says.startswith(f"Stage 4 of 4: {worse[0]} of 24 orders have a stage that can crash, {worse[1]} more")
    assert f"and {24 - sum(worse)} none" in view.says


def test_the_board_hides_what_comes_and_shows_all_after_a_swap():
    lab = order.board()
    assert "crash" not in lab.text
    lab.buttons["Swap 2nd and 3rd"].click()
    assert lab.walk.slider.value == 4
    assert "Your order      4" in lab.text
    assert [row[2] for row in lab.picture.table.rows[:5]] == ["none", "5", "1, 5", "1, 4, 5", "1, 3, 4, 5"]
    assert "The real order" in lab.text
    lab.buttons["Start again"].click()
    assert "✗ crash" in lab.text


@pytest.mark.parametrize(("zone", "found"), [("ZONE_MOVABLE", 5), ("ZONE_NORMAL", 4)])
def test_bisecting_by_hand_finds_the_patch_after_which_it_shows(zone, found):
    lab = order.bisection()
    lab.inputs["zone"].value = zone
    assert "among patches 2, 3, 4 and 5" in lab.walk.look(lab.walk.slider.value).says
    for stage in (2, 3):
        lab.buttons[f"Try stage {stage}"].click()
    assert lab.walk.look(lab.walk.slider.value).says == f"Tries: 2. The first bad one is patch {found}."


# -- questions that ask for an order of patches ----------------------------------------------------------


def said(cards, name="order/put-in-order", seed=0):
    """The texts of cards, in this order."""
    (field,) = problem(name, seed).fields
    return {"order": [next(text for text in field.choices if text.startswith(str(n))) for n in cards]}


@pytest.mark.parametrize(("seed", "zone"), [*enumerate(order.ZONES)])
def test_an_order_is_right_if_no_stage_of_it_is_bad(seed, zone):
    for cards in [*permutations(order.REAL)][::5]:  # searches take a while
        verdict = check("order/put-in-order", said(cards, seed=seed), seed)
        assert verdict.right == (order.highest(cards, zone) < 2), cards


def test_a_bad_stage_is_named_and_its_run_opened():
    verdict = check("order/put-in-order", said((3, 4, 5, 1)))
    assert verdict.message == "With patches 3, 4 and 5, can it end with a kernel panic? Yes."
    assert verdict.run["patches"] == [3, 4, 5]
    assert verdict.first.number == verdict.run["stop"] > 1
    assert sum(not row.holds for row in verdict.facts) == 1


def test_the_patches_that_a_kernel_has_already_are_there_at_every_stage():
    assert check("order/one-is-in", said((1, 4, 3), "order/one-is-in")).right
    verdict = check("order/one-is-in", said((3, 4, 1), "order/one-is-in"))
    assert verdict.run["patches"] == [3, 4, 5]


def test_a_verdict_on_an_order_has_a_row_for_each_kernel_that_the_order_chose():
    rows = check("order/put-in-order", said((1, 5, 4, 3))).facts
    assert [row.what for row in rows] == [
        f"{kernel}, can it end with at least 1 warning or a kernel panic?"
        for kernel in ("with patch 1", "with patches 1 and 5", "with patches 1, 4 and 5")]
    assert all(row.holds and row.found == "no" for row in rows)


@pytest.mark.parametrize(("seed", "zone"), [*enumerate(order.ZONES)])
def test_the_solution_has_patch_5_as_early_as_can_be(seed, zone):
    right = [cards for cards in permutations(order.REAL) if order.highest(cards, zone) < 2]
    solution = [int(text[0]) for text in solve("order/put-in-order", seed).answer["order"]]
    assert solution.index(5) == min(cards.index(5) for cards in right)


def test_the_goal_of_patches_is_what_must_not_be_reached():
    question = filled("order/put-in-order", 0)
    goal = {"reachable": [{"panic": True}]}
    with pytest.raises(ScenarioError, match="unreachable outcomes, and nothing else"):
        orders.stage(replace(question, data={**question.data, "goal": goal}), frozenset())


@pytest.mark.parametrize("lines", [
    '[{ text = "a", patch = 1 }, { text = "b", step = { do = "boot" } }]', '[{ text = "a" }, { text = "b" }]',
    '[{ text = "a", patch = 1, when = { errno = "0" } }, { text = "b", patch = 2, when = { errno = "0" } }]',
])
def test_lines_are_all_of_one_kind(lines):
    document = f"""
[[question]]
slug = "a"
title = "A"
kind = "order"
minutes = 1
points = 1
objectives = ["a"]
kernel = "a"
text = "a"
hint = "a"
steps = [{{ do = "isolate", start = 0, end = 512 }}]
[[question.field]]
name = "order"
label = "a"
line = {lines}
"""
    with pytest.raises(ScenarioError, match="one of step, when and patch, the same in all lines"):
        read(document, "a.toml")
