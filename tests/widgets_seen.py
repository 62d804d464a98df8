"""The book's labs, and what is to be seen of a widget."""

import ast
import html
import json
import pkgutil
import re
from importlib import import_module
from inspect import isfunction
from pathlib import Path
from typing import get_type_hints

import ipywidgets

from mmsim import chapters
from mmsim.chapters import patch1
from mmsim.widgets import Choice, Lab, Size, Story

ROOT = Path(__file__).resolve().parents[1]
CHAPTERS = [import_module(found.name) for found in pkgutil.iter_modules(chapters.__path__, f"{chapters.__name__}.")]


def makers(module):
    """The functions of a chapter's module that make its labs."""
    own = (made for made in vars(module).values() if isfunction(made) and made.__module__ == module.__name__)
    return [made for made in own if get_type_hints(made).get("return") is Lab]


BOOK = {f"{make.__module__.split('.')[-1]}.{make.__name__}": make for module in CHAPTERS for make in makers(module)}


def race():
    """A race with a switch and a choice."""
    zone = Choice("zone", "Zone", patch1.ZONES)
    return Lab("The race, with a switch", patch1.two_cpus("$zone"), [zone], patches=[], toggles=[1])


def partial_block():
    """A block and a half is plugged, onlined to ZONE_MOVABLE and unplugged again, with and without patch 5."""
    ways = ["online_movable", "online_kernel", "online"]
    story = Story(
        {"boot_memory": "4G", "virtio_mem": {"requested": "0"}},
        [
            {"do": "resize", "to": "$grow"},
            {"do": "write", "path": "memory32/state", "value": "$online"},
            {"do": "write", "path": "memory33/state", "value": "$online"},
            {"do": "allocate", "as": "program", "size": "20M"},
            {"do": "resize", "to": "$shrink"},
        ],
    )
    controls = [
        Size("grow", "Grow to", "192M", "256M", min="132M"),
        Size("shrink", "Shrink to", "40M", "256M"),
        Choice("online", "How to online", {way: way for way in ways}),
    ]
    events = {
        "A program takes 16 MiB": [{"do": "allocate", "as": "more", "size": "16M"}],
        "50 seconds pass": [{"do": "wait", "seconds": 50}],
        "Offline memory33": [{"do": "write", "path": "memory33/state", "value": "offline"}],
    }
    return Lab("Grow, online, shrink", story, controls, events, toggles=[5])


def code_cells(name):
    """The cells of code of a page's notebook; a page of mere Markdown has none."""
    if (ROOT / f"{name}.md").exists():
        return []
    notebook = json.loads((ROOT / f"{name}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def placed(name):
    """The code of the cells of a page that stand alone, in order, each of which ends with a lab; questions are none."""
    alone = ["".join(cell["source"]) for cell in code_cells(name) if "standalone" in cell["metadata"].get("tags", [])]
    return [source for source in alone if not source.splitlines()[-1].startswith("ask(")]


def value(source):
    """Run the code of a cell, and return its last expression."""
    *statements, last = ast.parse(source).body
    names = {}
    exec(compile(ast.Module(statements, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def push(knob, times):
    """Move a control for the `times`th time: it goes to and fro."""
    if isinstance(knob, ipywidgets.Checkbox):
        knob.value = not knob.value
    elif isinstance(knob, ipywidgets.IntSlider):
        knob.value = (knob.min, knob.max)[times % 2]
    else:
        knob.index = times % len(knob.options)


def blocks(lab):
    """Memory block -> (state, driver, plugged) of those that are the device's."""
    return {row[0]: row[1:4] for row in lab.picture.table.rows if row[2] != "–" and row[1] != "absent"}


def pages(lab):
    """The HTML of every page, in the order of the steps."""
    return [page.value for page in lab.walk.stack.children]


def says(lab):
    """The sentence of the step shown."""
    (text,) = re.findall(r'<p class="mmsim-says[^>]*role="status">(.*?)</p>', pages(lab)[lab.walk.slider.value])
    return html.unescape(re.sub("<.*?>", "", text))


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
