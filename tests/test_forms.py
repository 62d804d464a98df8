"""The form of a question, and what is said to an answer: in a page, in JupyterLab and in a terminal the same."""

import json
import re
from html.parser import HTMLParser

import pytest

pytest.importorskip("ipywidgets")

from mmsim import questions
from mmsim.draw.figure import STYLE, prose
from mmsim.widgets import ask
from mmsim.widgets.ask import reply
from mmsim.widgets.forms import QUESTIONS, form, said

NAMES = questions.names()


def page(name):
    return form(questions.problem(name), questions.hint(name)).html()


class Parts(HTMLParser):
    """The form's elements: (tag, attributes) in order."""

    def __init__(self, html):
        super().__init__()
        self.found = []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes)))

    def all(self, *tags):
        return [attributes for tag, attributes in self.found if tag in tags]


@pytest.mark.parametrize("name", NAMES)
def test_a_form_has_a_part_for_each_field_and_a_name_for_each_part(name):
    parts = Parts(page(name))
    asked = {field.name for field in questions.problem(name).fields}
    inputs = parts.all("input", "select", "textarea")
    assert {part["name"] for part in inputs} == asked | {"name", "seed", "sure"}
    labelled = {label["for"] for label in parts.all("label") if "for" in label}
    for part in inputs:
        named = part.get("id") in labelled or "aria-label" in part or part["type"] in ("radio", "hidden")
        assert named, part
    assert len(parts.all("legend")) == len(parts.all("fieldset"))


@pytest.mark.parametrize("name", NAMES)
def test_a_form_says_nothing_of_what_is_right(name):
    html, solution = page(name), questions.solve(name)
    assert not re.search(r"\b(checked|selected|script|data-right|correct)\b", html)
    for _, _, why in solution.texts:
        assert not why or why not in re.sub("<[^>]+>", "", html)


def test_code_is_kept_from_a_translator():
    assert all('translate="no"' in tag for tag in re.findall("<code[^>]*>", page("patch1/late-loser")))


@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_the_same_from_form_widget_and_function(name):
    answer = questions.solve(name).answer
    verdict = questions.check(name, answer)
    assert verdict.state in ("right", "noted")
    assert replied(name, **answer) == verdict
    widget = ask(name)
    for field, parts in widget.inputs.items():
        said = answer[field] if isinstance(answer[field], list) and len(parts) > 1 else [answer[field]]
        for part, value in zip(parts, said, strict=True):
            part.value = letter(name, field, value)
    widget.children[-2].click()
    assert verdict.message.split("“")[0][:20] in widget.answer.children[0].value


def letter(name, field, value):
    """A choice by its letter, as a form hands it over; anything else as a reader types it."""
    (asked,) = (one for one in questions.problem(name).fields if one.name == field)
    if value in asked.choices:
        return "abcdefghijklmnop"[asked.choices.index(value)]
    return value if isinstance(value, str) else ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def test_an_answer_can_be_given_in_any_order_any_number_of_times():
    wrong = {"errno": "0", "log": "a", "dumped": "b"}
    right = questions.solve("patch1/late-loser").answer
    states = [replied("patch1/late-loser", **answer).state for answer in (right, wrong, right, right, wrong)]
    assert states == ["right", "wrong", "right", "right", "wrong"]


def replied(name, **answer):
    """The verdict that is displayed first."""
    return reply(name, 0, answer)[0].verdict


def test_a_wrong_answer_opens_the_run_that_refutes_it_at_the_place():
    _, lab = reply("patch1/late-loser", 0, {"errno": "EBUSY", "log": "c", "dumped": "b"})
    assert "offlining" in lab.text.lower() or "isolate" in lab.text.lower()
    assert lab.walk.slider.value == lab.walk.slider.max
    assert reply("patch1/late-loser", 0, questions.solve("patch1/late-loser").answer)[1:] == []


def test_nothing_and_nonsense_get_a_sentence():
    open_ = replied("patch1/late-loser", errno="", log="a", dumped="").message
    assert open_.startswith("Still open: What does offlining get?")
    verdict = replied("patch1/late-loser", errno="EBSY", log="a", dumped="a")
    assert verdict.state == "invalid"
    assert "EBSY" in said(verdict).html()


def test_a_problem_travels_as_plain_data():
    assert json.loads(json.dumps(questions.problem("patch1/late-loser").as_json()))["name"] == "patch1/late-loser"


WRONG = {"errno": "0", "log": "c", "dumped": "a"}  # in one field of three


def test_each_wrong_field_has_an_item_with_its_label():
    verdict, *_ = reply("patch1/late-loser", 0, WRONG)
    page = verdict.html()
    assert page.count("<li><b>") == len(verdict.verdict.whys) == 3
    for why in verdict.verdict.whys:
        (item,) = re.findall(f"<li><b>{re.escape(prose(why.label))}</b>(.*?)</li>", page)
        assert prose(why.text) in item
        assert ("What is so." in item) == (not why.right)


def test_a_single_fact_is_told_by_the_sentence_several_can_be_opened():
    (one, *_), (several, *_) = reply("virtio_mem/holes-stuck", 0, {"end": "b"}), reply("patch1/late-loser", 0, WRONG)
    assert len(one.verdict.facts) == 1
    assert "<details>" not in one.html()
    assert f"<summary>{len(several.verdict.facts)} facts compared, 1 not so</summary>" in several.html()
    for fact in several.verdict.facts:
        assert prose(str(fact)) in several.html()


def test_the_reasons_of_one_field_need_no_label():
    verdict, *_ = reply("patch1/message", 0, {"ends": "a"})
    assert "mmsim-whys" not in verdict.html(style=False)


def visible(html):
    """What is read in a page: its text, code apart."""
    return re.sub("<[^>]+>", "", re.sub(r"<(style|code)\b.*?</\1>", "", html, flags=re.DOTALL))


@pytest.mark.parametrize("name", NAMES)
def test_nobody_sees_the_marks_of_code(name):
    wrong = {field.name: other(field) for field in questions.problem(name).fields}
    shown = [page(name), *(part.html() for part in ask(name).children if hasattr(part, "html"))]
    for answer in (questions.solve(name).answer, wrong):
        verdict, *run = reply(name, 0, answer)
        shown += [verdict.html(), *(lab.walk.look(lab.walk.slider.value).html for lab in run)]
    widgets = [part.value for part in ask(name).children if type(part).__name__ == "HTML"]
    assert [text for text in map(visible, [*shown, *widgets]) if "`" in text or "\n* " in text] == []


def other(field):
    """Something to say that may well be wrong."""
    said = {"errno": "ENXIO", "size": "4K", "number": "7", "pfn": "7", "yesno": "yes", "patches": "none", "text": "a",
            "code": field.example, "steps": "", "choice": "a"}
    return [*field.choices] if field.kind == "order" else said[field.kind]


def test_a_list_in_a_question_is_a_list():
    html = page("memory_blocks/what-would-help")
    assert html.count("<li>") == 3
    assert "<em>" not in html


CODE = [(name, field) for name in NAMES for field in questions.problem(name).fields if field.kind in ("code", "steps")]


@pytest.mark.parametrize(("name", "field"), CODE)
def test_what_is_written_line_by_line_has_a_box_for_code(name, field):
    (box,) = (part for part in Parts(page(name)).all("textarea") if part["name"] == field.name)
    assert box["class"] == "mmsim-code"
    assert int(box["rows"]) > len(field.example.splitlines()) + 1
    (area,) = ask(name).inputs[field.name]
    assert "mmsim-code" in area._dom_classes


def test_a_long_order_is_told_as_a_list():
    verdict, _ = reply("memory_blocks/undone-in-order", 0, {"order": "a, b, c, d, e"})
    assert verdict.html(style=False).count("<ol><li>") == 1


@pytest.mark.parametrize(("name", "answer"), [
    ("memory_blocks/veto", {"cancel": "A: it agreed, and must hear of the end"}),
    ("memory_blocks/undone-in-order", {"order": "a, b, c, d, e"}),
])
def test_a_run_about_notifiers_shows_what_they_are_told(name, answer):
    _, lab = reply(name, 0, answer)
    last = lab.walk.look(lab.walk.slider.max)
    assert "MEM_CANCEL_OFFLINE" in str(last.after[0])
    assert "Nobody has been told anything." in lab.walk.look(lab.walk.slider.min).html


def test_other_runs_show_no_notifiers():
    _, lab = reply("patch1/late-loser", 0, {"errno": "EBUSY", "log": "c", "dumped": "b"})
    assert "Who has been told" not in lab.walk.look(lab.walk.slider.value).html


def test_a_claim_about_all_orders_of_a_race_opens_all_its_outcomes():
    _, lab = reply("patch1/how-many-orders", 0, {"outcomes": "3", "orders": "fewer than 10"})
    assert lab.outcome is not None


def test_the_sheet_of_forms_comes_after_that_of_figures_and_no_widget_carries_it():
    html = page("patch1/message")
    assert html.index(STYLE) < html.index(QUESTIONS) < html.index("<figure")
    _, lab = reply("patch1/message", 0, {"ends": "a"})
    assert "mmsim-question" not in str([getattr(part, "value", "") for part in lab.children])
