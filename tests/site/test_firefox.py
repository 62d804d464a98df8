"""The live page in another browser than all other tests have: Firefox."""

import pytest
from firefox import started

RIGHT = "\ue014"
WIDGET = "document.querySelector('.cell.tag_standalone .widget-subarea')"
LAST = "[...document.querySelectorAll('.cell:has(.livebook-tools)')].at(-1)"


@pytest.fixture(scope="module")
def firefox(origin, tmp_path_factory):
    """Firefox with a page open that has a live widget, and Python up."""
    with started(tmp_path_factory.mktemp("firefox")) as firefox:
        firefox.open(f"{origin}book/series/patch5.html")
        firefox.see("document.querySelector('.cell.tag_standalone').scrollIntoView()")
        firefox.until("document.querySelector('.cell.tag_standalone[data-ran]') !== null")
        yield firefox


def test_a_widget_answers(firefox):
    caption = f"{WIDGET}.querySelector('figcaption').textContent"
    assert "The host asks for 40 MiB" in firefox.see(caption)
    firefox.see(f"{WIDGET}.querySelector('.noUi-handle').focus()")
    firefox.press(RIGHT)
    firefox.until(f"{caption}.includes('The host asks for 44 MiB')")


def test_back_steps(firefox):
    shown = f"{WIDGET}.querySelector('.step-row .widget-readout').textContent"
    before = int(firefox.see(shown))
    firefox.see(f"{WIDGET}.querySelector('.step-back').click()")
    firefox.until(f"{shown} === '{before - 1}'")


def test_a_cell_runs_as_the_book_says(firefox):
    output = f"{LAST}.querySelector('.cell_output').innerText.trim()"
    before = firefox.see(output)
    firefox.see(f"{LAST}.querySelector('.livebook-tools button').click()")
    firefox.until(f"{LAST}.hasAttribute('data-ran')")
    assert firefox.see(output) == before


def test_nothing_went_wrong(firefox):
    assert firefox.errors == []
