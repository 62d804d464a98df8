"""What can go wrong: each fault ends in words that say so, and a page that goes on."""

import re

import pytest
from playwright.sync_api import expect

WAYS = ("missing", "gone", "short", "broken", "other")


@pytest.fixture
def still(visit):
    """A page that starts no Python by itself."""
    return visit("still")


def works(reader):
    """A cell runs, and shows what it should."""
    assert reader.run("say").inner_text() == "said\n"


@pytest.mark.parametrize("file", ["worker", "boot", "python", "image"])
def test_python_that_does_not_come(still, faults, file):
    for way in WAYS:
        faults[file] = way
        still.button("say", "Run").click()
        still.status("Python has stopped:")
        if file in ("python", "image") or way not in ("short", "other"):  # then a browser says where code goes wrong
            still.status(f"{file}.")
        faults.clear()
        if way != WAYS[-1]:
            still.page.get_by_role("button", name="Close").click()
    still.again()
    still.status("Python is ready")
    works(still)
    assert still.output("say").count() == 1


def test_host_that_knows_no_type_but_that_of_javascript(still, faults):
    faults.update(dict.fromkeys(("python", "image", "library"), "untyped"))
    works(still)
    assert still.tries("sum", "import statistics; statistics.mean([1, 3])").strip() == "2"


def test_a_worker_that_says_nothing(still, faults):
    still.page.clock.install()
    faults["worker"] = "empty"  # which is JavaScript
    still.button("say", "Run").click()
    still.page.wait_for_timeout(2000)
    still.status("Python is loading")
    still.page.clock.run_for(60_000)
    still.status("Python has stopped: nothing has come of it for a minute.")
    faults.clear()
    still.again()
    still.status("Python is ready")
    works(still)


def test_machine_without_memory_for_python(still, faults):
    faults["boot"] = b"""
        const { instantiate, Module } = WebAssembly;
        WebAssembly.instantiate = async (...given) => {
            const large = given[0] instanceof Module && Module.exports(given[0]).length > 1000;
            if (large) throw new RangeError("out of memory");
            return instantiate(...given);
        };"""
    still.button("say", "Run").click()
    still.status("Python has stopped: out of memory.")
    faults.clear()
    still.again()
    still.status("Python is ready")
    works(still)
    still.problems.clear()  # Pyodide has warned


def test_editor_that_does_not_come(still, faults):
    for way in WAYS:
        faults["editor"] = way
        still.button("sum", "Edit").click()
        still.status("The editor can't be loaded: editor.")
        still.page.get_by_role("button", name="Close").click()
    faults.clear()
    assert still.tries("sum", "2 * 2").strip() == "4"

    faults["editor"] = "missing"
    still.page.reload()
    still.status("The editor can't be loaded: editor.")
    assert still.run("sum").inner_text().strip() == "2", "what is not shown is not run"
    still.button("sum", "Reset").click()
    still.page.reload()
    expect(still.button("sum", "Reset")).to_be_hidden()
    still.problems.clear()  # what is no JavaScript says so


def test_widgets_that_do_not_come(visit, faults):
    for way in WAYS:
        faults["widgets."] = way
        reader = visit("still")
        reader.status("The widgets can't be drawn: widgets.")
        reader.problems.clear()
    reader.run("linked")
    assert "This output can't be shown: widgets." in reader.output("linked").inner_text()
    faults.clear()
    reader.run("linked")
    assert reader.output("linked").locator(".noUi-handle").count() == 2
    works(reader)
    reader.problems.clear()


def test_markdown_that_does_not_come(still, faults):
    for way in WAYS:
        faults["markdown"] = way
        shown = still.tries("sum", "print(1); from IPython.display import Markdown; display(Markdown('*some*')); 2")
        assert shown.startswith("1\n\nThis output can't be shown: markdown.")
        assert shown.endswith("2")
    faults.clear()
    assert still.run("sum").locator("em").inner_text() == "some"
    still.problems.clear()


def test_rest_of_the_library_that_does_not_come(still, faults):
    for way in WAYS:
        faults["library"] = way
        shown = still.tries("sum", "import statistics")
        assert "ImportError: the rest of the standard library can't be loaded: is the network there?" in shown
        assert "livebook" not in shown
    faults.clear()
    assert still.tries("sum", "import statistics; statistics.mean([1, 3])").strip() == "2"
    assert "ModuleNotFoundError: No module named 'nothing'" in still.tries("sum", "import nothing")
    assert "ModuleNotFoundError" in still.tries("sum", "import tkinter")


def test_network_that_goes_in_the_middle(still):
    works(still)
    still.page.context.set_offline(True)
    still.button("sum", "Edit").click()
    still.status("The editor can't be loaded: editor.")
    works(still)
    still.page.context.set_offline(False)
    assert still.tries("sum", "2 * 2").strip() == "4"


def test_cells_that_go_wrong(still):
    def tries(code):
        return still.tries("sum", code)

    assert "SystemExit: 3" in tries("import sys; sys.exit(3)")
    said = tries("import json; json.loads('x')")
    assert re.search(r'json/decoder.py", line \d+, in raw_decode\n.*JSONDecodeError: ', said), "library code has lines"
    assert "RecursionError" in tries("def f(): f()\nf()")
    assert "MemoryError" in tries("x = bytearray(10**9 * 2)")
    assert "MemoryError" in tries("x = []\nwhile True: x.append(bytearray(10**7))")
    assert tries("x = 0; 'goes on'").strip() == "'goes on'"
    printed = tries("for number in range(10**6): print(number)")
    assert printed.startswith("0\n1\n")
    assert printed.endswith("… cut: the cell printed more than 200,000 characters\n")
    assert tries("print('as before')") == "as before\n"
    button = "import ipywidgets\nbutton = ipywidgets.Button()\nbutton.on_click(lambda b: 1 / 0)\nbutton"
    tries(button)
    still.output("sum").locator("button").click()
    still.status("A widget says: Traceback")
    still.status("ZeroDivisionError: division by zero")
    assert "EOFError" in tries("input()") or "OSError" in tries("input()")
    assert "ZeroDivisionError" in tries("import asyncio\nasync def f(): 1 / 0\nawait f()")
    tries("1")
    works(still)


def test_a_cell_that_never_ends_is_stopped(still):
    still.write("sum", "print('begun', flush=True)\nwhile True: pass")
    still.button("sum", "Run").click()
    still.button("say", "Run").click()
    still.status("Running")
    expect(still.output("sum")).to_have_text("begun\n")
    still.page.get_by_role("button", name="Stop").click()
    still.status("Stopped. The next cell that runs starts Python anew.")
    still.page.wait_for_timeout(500)
    still.status("Stopped.")  # what waited for its turn has none
    still.page.get_by_role("button", name="Close").click()
    expect(still.page.locator(".livebook-status")).to_be_hidden()
    expect(still.cell("sum")).not_to_have_attribute("aria-busy", "true")
    assert "begun" in still.output("sum").inner_text()
    still.write("sum", "1")
    works(still)


def test_python_that_ends_while_it_runs(still):
    works(still)
    still.write("sum", "import js; js.self.close()")
    still.button("sum", "Run").click()
    still.status("Python has stopped: it has ended")
    still.write("sum", "3")
    still.again()
    works(still)


def test_python_that_ends_while_it_waits(still):
    works(still)
    still.page.workers[0].evaluate("self.close()")
    still.status("Python has stopped: it has ended")
    still.again()
    works(still)


def test_a_browser_that_keeps_nothing(visit):
    denied = "throw new DOMException('no', 'SecurityError')"
    reader = visit("still", f"Object.defineProperty(window, 'localStorage', {{get() {{ {denied}; }}}});")
    reader.write("sum", "2 * 2")
    reader.status("This browser keeps nothing for this page")
    assert reader.run("sum").inner_text().strip() == "4"
    reader.page.reload()
    assert reader.output("sum").inner_text().strip() == "2"
    works(reader)
    reader.problems.clear()  # the theme's own


@pytest.mark.parametrize("lack", ["delete WebAssembly.compileStreaming", "delete window.Worker"])
def test_a_browser_that_is_too_old(visit, lack):
    reader = visit("still", lack)
    notice = reader.page.locator(".livebook-notice")
    assert "This browser is too old to run Python" in notice.inner_text()
    assert notice.evaluate("line => line.parentElement.matches('article, main, [role=main]')")
    shows_what_it_showed(reader)


def test_a_page_that_is_opened_as_a_file(visit, book):
    reader = visit(None)
    reader.page.goto((book / "still.html").as_uri())
    assert "This page was opened as a file" in reader.page.locator(".livebook-notice").inner_text()
    shows_what_it_showed(reader)


def shows_what_it_showed(reader):
    """The outputs of the book, widgets that are tied to others, and no buttons that do nothing."""
    assert reader.page.get_by_role("toolbar").count() == 0
    assert reader.output("say").inner_text() == "said\n"
    handles = reader.cell("linked").locator(".noUi-handle")
    handles.first.press("ArrowRight")
    expect(handles.last).to_have_attribute("aria-valuenow", "1.0")


def test_a_browser_without_javascript(visit):
    reader = visit("deep/outputs", java_script_enabled=False)
    notice = reader.page.locator("noscript .livebook-notice")
    assert notice.inner_text().startswith("Without JavaScript this page shows what it showed")
    assert reader.output("last").inner_text() == "'the last'\n"
