"""What every chapter of the book keeps to: its length, what it shows, its questions, its terms, and cells that can be
run again.

A page that is older than these rules says in OLD which of them it breaks; a budget that is too small for a page is
raised in RAISED, with the reason.
"""

import ast
import io
import re
from contextlib import redirect_stdout

import pytest

from book import PAGES, ROOT, TERM, glossary, linked, listed
from mmsim import PATCHES, questions

WORDS, CELLS, LINES = 1_800, 12, 8  # of Markdown; of code that is shown, and in one cell
RAISED: dict = {}  # page: its own budget of words, cells and lines, and why
OLD: dict = {}  # page: the rules that it breaks until it is rebuilt
LONGEST = 75  # minutes: 45, and 30 for the exercises
MINUTES = 0.25  # by how much of it the minutes of a page may differ from what its words and questions take
SPEED = 200  # words a minute

CHAPTERS = [page for page in PAGES if page.name != "index"]
ENTRIES = glossary()
TERMS = {name.lower(): entry for entry in ENTRIES for name in entry.names}


def pages(rule, among=tuple(CHAPTERS)):
    """Each page as a parameter; where it is known to break the rule, that is expected."""
    broken = pytest.mark.xfail(strict=True, reason="rebuilt later")
    return pytest.mark.parametrize("page", [
        pytest.param(page, id=page.name, marks=[broken] if rule in OLD.get(page.name, "").split() else [])
        for page in among
    ])


# -- how long it is, and what it shows -------------------------------------------------------------------


@pages("budget", PAGES)
def test_a_page_keeps_to_its_budget(page):
    words, cells, lines, _ = RAISED.get(page.name, (WORDS, CELLS, LINES, ""))
    longest = max((len(source.splitlines()) for source in page.shown), default=0)
    print(f"{page.name}: {page.words} words, {len(page.shown)} cells of at most {longest} lines are shown")
    assert page.words <= words
    assert len(page.shown) <= cells
    assert longest <= lines


def test_a_budget_is_raised_only_where_it_has_to_be():
    for page in (page for page in PAGES if page.name in RAISED):
        longest = max(len(source.splitlines()) for source in page.shown)
        assert page.words > WORDS or len(page.shown) > CELLS or longest > LINES, page.name


@pages("plumbing", PAGES)
def test_what_is_shown_has_no_plumbing(page):
    for source in page.shown:
        nodes = list(ast.walk(ast.parse(source)))
        assert not [node for node in nodes if isinstance(node, ast.Assert)], source
        assert "draw.Document" not in source, source


@pages("helpers", PAGES)
def test_no_cell_defines_a_helper(page):
    definitions = ast.AsyncFunctionDef | ast.ClassDef | ast.FunctionDef
    assert [s for s in page.code if any(isinstance(node, definitions) for node in ast.walk(ast.parse(s)))] == []


# -- what it says about itself ---------------------------------------------------------------------------


@pages("about")
def test_a_chapter_says_what_it_is_for_and_what_it_needs(page):
    assert set(page.about) - {"exercise_minutes"} == {"objectives", "needs", "minutes"}
    assert page.about["objectives"]
    assert all(isinstance(objective, str) and objective.strip() for objective in page.about["objectives"])
    before = listed()[: listed().index(page.name)]
    assert set(page.about["needs"]) <= set(before)


@pages("about")
def test_the_minutes_of_a_chapter_are_those_of_its_words_and_questions(page):
    takes = page.words / SPEED + sum(questions.problem(name).minutes for name in page.asked)
    print(f"{page.name}: about {takes:.0f} minutes")
    says = page.about["minutes"] + page.about.get("exercise_minutes", 0)
    assert says == pytest.approx(takes, rel=MINUTES)
    assert says <= LONGEST


# -- its questions ---------------------------------------------------------------------------------------


def test_every_question_is_asked_in_one_place():
    asked = sorted(name for page in PAGES for name in page.asked)
    assert asked == sorted(questions.names())


# -- what a chapter on a patch has ------------------------------------------------------------------------

# The sections that each has, in this order, whatever stands between them; and those in which something runs.
PATTERN = (
    "Run it", "The patch", "After", "Why", "On a real machine", "What the review said, what was merged", "Exercises",
    "Summary",
)  # fmt: skip
RUNS = PATTERN[:5]
ESSAYS = 2  # at most
TRIED = 5  # questions that a run answers, at least
REACH = re.compile(
    r"\b(in|of|through) (no|any|every|all|each) (possible )?(order|orders|interleaving|interleavings)\b"
    r"|\b(can|can't|can never|cannot|could|could never) be reached\b", re.IGNORECASE,
)  # fmt: skip
SEARCHES = re.compile(r"\bexplore\(|\.marks\b")
ON_PATCHES = [page for page in PAGES if re.fullmatch(r"series/patch\d", page.name)]
SERIES = [page for page in PAGES if page.name.startswith("series/") and page.name != "series/index"]


def test_each_patch_of_the_series_has_its_chapter():
    """In their order, between the page that shows all six and the two that close the series."""
    six = [f"series/patch{patch.number}" for patch in PATCHES]
    assert [name for name in listed() if name.startswith("series/")] == [
        "series/index", *six, "series/order", "series/review"]  # fmt: skip


@pages("pattern", ON_PATCHES)
def test_a_chapter_on_a_patch_has_all_its_parts(page):
    found = [title for title in page.sections if title in PATTERN]
    assert found == list(PATTERN)
    for title in PATTERN:
        assert any(kind == "text" for kind, _ in page.sections[title]), title
    for title in RUNS:
        assert any(kind != "text" for kind, _ in page.sections[title]), f"nothing runs in {title!r}"


@pages("pattern", ON_PATCHES)
def test_a_chapter_on_a_patch_begins_with_a_scene_and_a_question(page):
    (first, *_) = [source for source in page.code if "chapters import" in source]
    before_run = [source for title in list(page.sections)[: list(page.sections).index("Run it")]
                  for kind, source in page.sections[title] if kind != "text"]
    assert first in before_run
    assert any("ask(" in source for source in before_run)


@pages("questions", SERIES)
def test_a_chapter_of_the_series_has_its_questions(page):
    kinds = [questions.problem(name).kind for name in page.asked]
    print(f"{page.name}: {', '.join(kinds)}")
    assert len(kinds) - kinds.count("explain") >= TRIED
    assert kinds.count("explain") <= ESSAYS
    assert {"order", "find", "build", "write"} & set(kinds)


@pages("searched", SERIES)
def test_what_is_said_of_all_orders_is_searched(page):
    """A section that says what can or can't be reached has a hidden cell that searches."""
    for title, cells in page.sections.items():
        said = [found[0] for kind, text in cells if kind == "text" and (found := REACH.search(text))]
        searched = [source for kind, source in cells if kind == "hidden" and SEARCHES.search(source)]
        assert searched or not said or title in ("", "Summary"), f"{title!r} says {said}, and nothing there searches"


# -- its terms -------------------------------------------------------------------------------------------


def test_the_glossary_is_in_alphabetical_order_and_names_each_term_once():
    first = [entry.names[0].lower() for entry in ENTRIES]
    assert first == sorted(first)
    assert len(TERMS) == sum(len(entry.names) for entry in ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.names[0])
def test_a_term_is_explained_in_a_few_words(entry):
    sentences = re.sub(r"Explained in \S+\.", "", entry.text)
    assert 5 <= len(sentences.split()) <= 50
    assert sentences.strip().endswith(".")
    assert set(linked(entry.text)) <= set(TERMS)
    assert not set(linked(entry.text)) & {name.lower() for name in entry.names}


@pages("terms", PAGES)
def test_every_link_to_the_glossary_leads_there(page):
    assert set(linked(page.text)) <= set(TERMS)


@pages("first-use")
def test_a_term_is_linked_where_a_chapter_first_uses_it(page):
    """Of the names that can't be mistaken for something else: those of two words or with a `_`."""
    missing = [entry.names[0] for entry in ENTRIES if not linked_first(page.prose, entry)]
    print("to be linked at their first use:", *missing, sep="\n")
    assert missing == []


def linked_first(prose, entry):
    """Whether the first use of a term in a text, if there is one, is a link to the glossary."""
    links = [found.start() for found in TERM.finditer(prose) if TERMS.get(linked(found[0])[0]) == entry]
    bare = TERM.sub(lambda found: " " * len(found[0]), prose)
    names = "|".join(re.escape(name) for name in entry.names if re.search(r"\w[ _]\w", name))
    used = names and re.search(rf"(?<!\w)({names})(s|es)?(?!\w)", bare, re.IGNORECASE)
    return not used or (bool(links) and links[0] < used.start())


@pages("order")
def test_no_chapter_uses_a_term_before_the_chapter_that_explains_it(page):
    order = listed()
    explained = {name: TERMS[name].page for name in linked(page.text) if name in TERMS and TERMS[name].page}
    assert {name: where for name, where in explained.items() if order.index(where) > order.index(page.name)} == {}


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if entry.page], ids=lambda entry: entry.names[0])
def test_the_page_that_explains_a_term_uses_it(entry):
    text = " ".join(page.text for page in PAGES if page.name == entry.page).lower()
    assert not text or any(name.lower().removesuffix("()") in text for name in entry.names)


# -- its cells, run again --------------------------------------------------------------------------------


def run(source, names):
    """Run a cell in a page's names; returns what it shows, as text and as HTML."""
    *statements, last = ast.parse(source).body
    printed = io.StringIO()
    with redirect_stdout(printed):
        if not isinstance(last, ast.Expr):
            exec(source, names)
            return printed.getvalue(), None, None
        exec(compile(ast.Module(statements, []), "cell", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    bundle = value._repr_mimebundle_() if hasattr(value, "_repr_mimebundle_") else {"text/plain": repr(value)}
    return printed.getvalue(), bundle.get("text/plain"), bundle.get("text/html")


@pages("again", PAGES)
def test_every_cell_can_be_run_again(page, monkeypatch):
    """Each cell twice in the order of the page; then, with what the last cell has left, each again from the last up.

    Whoever runs the page again from a cell on finds what all cells have left, and so does each cell here.
    """
    monkeypatch.chdir((ROOT / "book" / page.name).parent)
    names = {"__name__": "__main__"}
    first = []
    for source in page.code:
        first.append(run(source, names))
        assert run(source, names) == first[-1], source
    for source, shown in reversed(list(zip(page.code, first, strict=True))):
        if source not in page.removed:
            assert run(source, names) == shown, source
