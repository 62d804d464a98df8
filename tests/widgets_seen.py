"""What is to be seen of a widget, for its tests."""

import html
import re

from mmsim.chapters import home, patch1, patch5

BOOK = {"how_much": home.how_much, "partial_block": patch5.partial_block, "race": patch1.race}


def blocks(lab):
    """Memory block -> (state, driver, plugged) of those that are the device's."""
    return {row[0]: row[1:4] for row in lab.picture.table.rows if row[2] != "–" and row[1] != "absent"}


def pages(lab):
    """The HTML of every page, in the order of the steps."""
    return [page.value for page in lab.walk.stack.children]


def story(lab):
    """The story as the page shown tells it: each step with how it ended."""
    items = re.findall("<li.*?</li>", pages(lab)[lab.walk.slider.value])
    return [html.unescape(re.sub("<.*?>", "", item)) for item in items]


def displayed(lab):
    """A lab as a cell displays it."""
    return lab._repr_mimebundle_()


def outcomes(lab):
    """The names of the outcomes that can be chosen."""
    return {label.split(": ", 1)[1] for label, _ in lab.outcome.options}


def inside(widget):
    """A widget and all that is in it."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from inside(child)
