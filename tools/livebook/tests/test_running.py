"""Cells that the reader runs and edits."""

import ast
import re
from pathlib import Path

import IPython
import pytest
from playwright.sync_api import expect

# Kinds of outputs that look as those that the book stores; a Markdown table does not, as Sphinx leaves it as it is.
KINDS = (
    "text", "stream", "svg", "png", "latex", "html", "several", "update", "clear", "await", "rest", "file", "package",
)  # fmt: skip
LOOK = """all => all.map(output => [...output.children].map(item => [item.className, item.tagName, item.naturalWidth,
    item.querySelectorAll("svg, td").length, item.innerText.trim()]))"""


@pytest.fixture
def outputs(visit):
    """The page with all kinds of outputs."""
    return visit("deep/outputs")


def see(reader, tag):
    """What a cell's outputs look like."""
    if tag == "latex":
        reader.output(tag).locator("mjx-container svg").wait_for()
    return reader.output(tag).evaluate_all(LOOK)


def test_outputs_look_as_those_of_the_book(outputs):
    stored = {tag: see(outputs, tag) for tag in KINDS}
    chart = outputs.output("chart").inner_html()
    outputs.run("last")  # and all above it
    outputs.run("html")
    assert {tag: see(outputs, tag) for tag in KINDS} == stored
    assert outputs.output("markdown").locator("td").all_inner_texts() == ["1", "2"]
    assert "It needs matplotlib" in outputs.cell("chart").inner_text()
    assert outputs.output("chart").inner_html() == chart
    assert outputs.button("chart", "Run").count() == 0

    trace = outputs.output("error").inner_text().splitlines()
    assert [line for line in trace if line.startswith("  File")] == [
        '  File "cell 11", line 4, in <module>', '  File "cell 11", line 2, in divide',
    ]  # fmt: skip
    assert trace[-1] == "ZeroDivisionError: division by zero"

    outputs.cell("hidden").locator("summary").first.click()
    assert outputs.run("hidden").inner_text() == "its code is folded\n"

    assert outputs.tries("text", "print(1)\ndisplay(2)\nprint(3)\n4").split() == ["1", "2", "3", "4"]
    assert outputs.tries("text", "1 +").splitlines()[::3] == ['  File "cell 1", line 1', "SyntaxError: invalid syntax"]
    assert outputs.tries("text", "1;") == ""
    assert outputs.tries("text", "clear_output(); get_ipython().user_ns is globals()").strip() == "True"
    assert outputs.tries("text", "print('seen', flush=True); import time; time.sleep(0.1)") == "seen\n"


def test_pages_start_from_one_image_and_go_their_own_ways(visit):
    """Nothing is imported anew, nothing is the same that should differ, and what the image lacks is fetched."""
    pages = [visit("still") for _ in range(2)]
    numbers = {page.tries("sum", "import random, uuid; random.random(), uuid.uuid4()") for page in pages}
    assert len(numbers) == 2
    page = pages[0]
    imported = page.tries("sum", "import sys; [name in sys.modules for name in ('ipywidgets', 'statistics')]")
    assert imported.strip() == "[True, False]"
    assert not page.loaded("library")
    late = page.tries("sum", "from traitlets import config; config.Application.name.default_value")
    assert late.strip() == "'application'"
    assert page.loaded("library")
    assert "AttributeError: module 'traitlets.config' has no attribute 'nothing'" in page.tries("sum", "config.nothing")
    rows = page.tries("sum", "import sqlite3; sqlite3.connect(':memory:').execute('select 2').fetchall()")
    assert rows.strip() == "[(2,)]"
    assert page.tries("sum", "import IPython; IPython.__version__").strip() == repr(IPython.__version__)
    assert "OSError: a page has no processes" in page.tries("sum", "import subprocess; subprocess.run(['ls'])")
    assert page.tries("sum", "import asyncio; asyncio.run(asyncio.sleep(0.01, 'slept'))").strip() == "'slept'"
    assert page.tries("sum", "x = [bytes(10**7) for _ in range(9)]; sum(map(len, x))").strip() == "90000000"


MAGICS = [  # written by the reader, and what is shown then
    ("%matplotlib inline\n1 + 1", "2"),
    ("%%time\nmine = 6 * 7\nmine", r"Wall time: [\d.]+ .?s\n+42"),
    ("for _ in range(2):\n    %time 1", r"(Wall time: [\d.e-]+ .?s\n?){2}"),
    ("%timeit -n 10 -r 3 1 + 1", r"[\d.]+ .?s ± [\d.]+ .?s per loop \(mean ± std\. dev\. of 3 runs, 10 loops each\)"),
    ("%%timeit -n 2 x = 1\nx + 1\nx", r"[\d.]+ .?s ± .* of 7 runs, 2 loops each\)"),
    ("%%writefile note.txt\nOne.\nTwo.", "Writing note.txt"),
    ("%%writefile -a note.txt\nThree.", "Appending to note.txt"),
    ("where = %pwd\nopen('note.txt').read(), where", r"\('One\.\\nTwo\.\\nThree\.\\n', '/book'\)"),
    ("mine?", r"(?s)Help on int object.*"),
    ("!ls -l", r"UsageError: A page has no shell that could run 'ls -l'\."),
    ("files = !ls", r"UsageError: A page has no shell that could run 'ls'\."),
    ("%pip install x", r"UsageError: A page can't do %pip, only %matplotlib, %pinfo, %pwd, %time, %timeit\."),
    ("%%bash\nls", r"UsageError: A page can't do %%bash, only %%file, %%time, %%timeit, %%writefile\."),
    ("%timeit -q 1", r"UsageError: In a page %timeit has the options -n and -r\."),
    ("%%writefile", r"UsageError: In a page it is %%writefile \[-a\] FILE\."),
    ("%%time\n\n1 / 0", r'(?s)Wall time: .*\n  File "cell 2", line 3, in <module>\nZeroDivisionError: .*'),
]  # fmt: skip


def test_ipythons_magics_do_what_a_page_can_and_the_others_are_told_in_a_sentence(visit):
    page = visit("still")
    for code, shown in MAGICS:
        said = page.tries("sum", code).strip()
        assert re.fullmatch(shown, said), f"{code}: {said}"


KNOT = """
import gc, weakref
gc.disable()  # so that nothing goes by chance

class Knot:
    pass

gone = weakref.ref(Knot)
del Knot  # a class refers to itself
gone() is None"""


def test_garbage_goes_when_nothing_is_asked(visit):
    page = visit("still")
    assert page.tries("sum", KNOT).strip() == "False"
    page.page.wait_for_timeout(1000)
    assert page.tries("sum", "gone() is None").strip() == "True"


BOTH = """
import asyncio, js
from pyodide.ffi import JsException, create_proxy, to_js

class Thing:
    word = "one"
    async def wait(self):
        await asyncio.sleep(0)
        return self.word

thing, reflect = Thing(), js.Reflect
thing_there = create_proxy(thing)
reflect.set(thing_there, "word", "two")
seen = [thing.word, reflect.get(thing_there, "word"), reflect.has(thing_there, "no")]
seen.append("word" in list(reflect.ownKeys(thing_there)))
reflect.deleteProperty(thing_there, "word")
seen += [thing.word, await js.Promise.resolve(thing_there.wait())]
seen.append(reflect.apply(create_proxy(max), None, to_js([3, 7])))
numbers = js.Array.new(10, 9, 1)
numbers.sort(create_proxy(lambda one, other: one - other))
seen += [list(numbers), js.Array.from_(create_proxy(letter for letter in "ab")).to_py()]
seen.append(js.JSON.stringify(to_js({"a": [1, None, 2.5, True]}, dict_converter=js.Object.fromEntries)))
data = js.Uint8Array.new(4)
data.assign(b"wxyz")
seen += [data.to_bytes(), js.Map.new(to_js([["k", {"v"}]])).to_py(), js.BigInt("1" + "0" * 20) == 10**20]
try:
    js.JSON.parse("{")
except JsException as error:
    seen.append(error.name)
seen
"""


def test_python_and_javascript_speak_with_each_other(visit):
    """What Pyodide's own JavaScript calls is still there, though most functions are no longer handed to it."""
    assert ast.literal_eval(visit("still").tries("sum", BOTH)) == [
        "two", "two", False, True, "one", "one", 7, [1, 9, 10], ["a", "b"], '{"a":[1,null,2.5,true]}',
        b"wxyz", {"k": {"v"}}, True, "SyntaxError",
    ]  # fmt: skip


def test_image_says_nothing_of_where_it_was_made(visit):
    where = str(Path(__file__).parents[1])
    page = visit("still")
    page.run("say")
    written = [list(where.encode()), list(where.encode("utf-32-le"))]  # the other are C's wide characters
    look = f"memory = pyodide_js._module.HEAPU8.slice().to_bytes()\n[memory.find(bytes(one)) for one in {written}]"
    assert page.tries("sum", f"import pyodide_js\n{look}").strip() == "[-1, -1]"


def test_what_a_cell_shows_runs_no_script(outputs):
    evil = "<script>document.title = 'evil'</script><img src=x onerror=\"document.title = 'evil'\"><b>shown</b>"
    assert outputs.tries("text", f"from IPython.display import HTML\nHTML({evil!r})") == "shown"
    assert outputs.tries("text", f"from IPython.display import Markdown\nMarkdown({evil!r})").strip() == "shown"
    outputs.tries("text", f"from IPython.display import SVG\nSVG('<svg xmlns=\"http://www.w3.org/2000/svg\">{evil}</svg>')")
    outputs.page.wait_for_timeout(200)
    assert outputs.page.title() != "evil"
    assert set(outputs.problems) == {"forbidden: script-src-attr inline "}
    outputs.problems.clear()


def test_what_the_reader_wrote_is_kept_and_not_run(visit):
    reader = visit("still")
    assert reader.tries("sum", "6 * 7").strip() == "42"
    editor = reader.cell("sum").get_by_role("textbox")
    editor.press("ControlOrMeta+End")
    reader.page.keyboard.type("/7")
    expect(editor).to_contain_text("6 * 7/7")
    assert reader.run("sum", lambda: editor.press("Shift+Enter")).inner_text().strip() == "6.0"

    reader.page.reload()
    expect(editor).to_contain_text("6 * 7/7")
    assert reader.output("sum").inner_text() == "2\n"
    assert reader.run("sum").inner_text().strip() == "6.0"

    reader.button("sum", "Reset").click()
    expect(editor).to_contain_text("1 + 1")
    expect(reader.button("sum", "Reset")).to_be_hidden()
    reader.page.reload()
    assert editor.count() == 0


def test_cells_run_in_order(visit):
    reader = visit("still")
    reader.write("sum", "shared = globals().get('shared', 0) + 1\nshared")
    assert reader.run("say").inner_text() == "said\n"
    assert reader.output("sum").inner_text().strip() == "1"

    reader.run("say")
    assert reader.output("sum").inner_text().strip() == "1", "what has run is not run again"
    reader.run("sum", reader.button("say", "Run all above").click)
    assert reader.output("sum").inner_text().strip() == "2"
    reader.button("sum", "Restart").click()
    reader.status("Python is ready")
    assert reader.run("sum").inner_text().strip() == "1"

    reader.write("sum", "1 / 0")
    reader.button("sum", "Restart").click()
    reader.button("say", "Run").click()
    reader.status("cell 2 failed, and cell 3 is below it.")
    reader.page.wait_for_timeout(3000)
    reader.status("cell 2 failed, and cell 3 is below it.")  # what Python was last, ready, is no longer of interest
    assert "ZeroDivisionError" in reader.output("sum").inner_text()


def test_two_pages_at_once_know_nothing_of_each_other(visit):
    one = visit("still")
    other = visit("still", beside=one)
    assert one.tries("sum", "mine = 1\nmine").strip() == "1"
    assert "NameError: name 'mine'" in other.tries("sum", "mine")
    assert one.run("sum").inner_text().strip() == "1"
    assert re.search("mine$", other.cell("sum").get_by_role("textbox").inner_text())
