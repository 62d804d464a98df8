"""What holds for every notebook as it is stored, without running it (nbval does that)."""

import ast
import json
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(p.relative_to(ROOT).as_posix() for p in (ROOT / "book").rglob("*.ipynb") if p.parent.name[0] != ".")
SHOW = {"Markdown", "display", "draw", "predict", "print", "widgets"}  # a cell that ends with one of these has output
# A chapter speaks of its subject: of no machine that it was written on, and of nobody's day at work.
PLACES = {str(ROOT), sys.prefix, f"{Path.home()}/", "/home/", "/Users/"}
WORK = re.compile(r"\b(issues?|sessions?|to-?do|fixme)\b", re.IGNORECASE)


@pytest.fixture(params=NOTEBOOKS)
def notebook(request):
    """Each notebook in turn."""
    return json.loads((ROOT / request.param).read_text(encoding="utf-8"))


@pytest.fixture
def cells(notebook):
    """Its code: source and cell."""
    return [("".join(cell["source"]), cell) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def last_call(source):
    """The name that the last expression of a cell starts with, if the cell ends with an expression."""
    last = ast.parse(source).body[-1]
    if not isinstance(last, ast.Expr):
        return None
    return re.match(r"\w*", ast.unparse(last.value))[0]


def test_the_book_holds_exactly_the_notebooks_of_its_contents():
    listed = re.findall(r"(?:root|file): *(\S+)", (ROOT / "_toc.yml").read_text(encoding="utf-8"))
    notebooks = [f"{name}.ipynb" for name in listed if not (ROOT / f"{name}.md").exists()]
    assert sorted(notebooks) == NOTEBOOKS


def test_every_lab_of_a_chapter_is_placed_in_the_book():
    pytest.importorskip("ipywidgets")
    from widgets_seen import BOOK, code_cells

    pages = [name.removesuffix(".ipynb") for name in NOTEBOOKS if name.endswith(".ipynb")]
    cells = [cell for name in pages for cell in code_cells(name)]
    placed = ["".join(cell["source"]) for cell in cells if "remove-cell" not in cell["metadata"].get("tags", [])]
    assert [name for name in BOOK if not any(f"{name}()" in source for source in placed)] == []


def test_kernel_is_plain_python(notebook):
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


def test_first_cell_is_the_title_alone_on_its_level(notebook):
    prose = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    assert prose[0].startswith("# ")
    assert "".join(notebook["cells"][0]["source"]) == prose[0]


def test_every_cell_was_run_in_order(cells):
    assert [cell["execution_count"] for _, cell in cells] == list(range(1, len(cells) + 1))


def test_what_a_cell_shows_is_stored(cells):
    assert [source for source, cell in cells if last_call(source) in SHOW and not cell["outputs"]] == []


def test_no_cell_failed_unless_it_says_so(cells):
    for source, cell in cells:
        failed = [output["ename"] for output in cell["outputs"] if output["output_type"] == "error"]
        assert not failed or "raises-exception" in cell["metadata"].get("tags", []), source


def test_cells_are_short_and_define_nothing(cells):
    definitions = ast.AsyncFunctionDef | ast.ClassDef | ast.FunctionDef
    for source, _ in cells:
        assert len(source.splitlines()) <= 15, source
        assert not [node for node in ast.walk(ast.parse(source)) if isinstance(node, definitions)], source


def test_no_trace_of_where_it_was_written(notebook):
    for cell in notebook["cells"]:
        text = "".join(cell["source"])
        assert WORK.findall(text) == [], text
        for place in PLACES:
            assert place not in json.dumps(cell, ensure_ascii=False), text
