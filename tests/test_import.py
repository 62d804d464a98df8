"""What may be imported, and by whom."""

import ast
import importlib
import inspect
import pkgutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from flit_core.buildapi import build_wheel

import mmsim

ROOT = Path(mmsim.__file__).parent
# ipywidgets, matplotlib and the like may be asked for there.
NEEDS_MORE = ("mmsim.widgets", "mmsim.draw", "mmsim.chapters")
MODULES = sorted(m.name for m in pkgutil.walk_packages([str(ROOT)], "mmsim."))
CORE = [name for name in MODULES if not name.startswith(NEEDS_MORE)]


# The one import that goes up: a machine draws itself when a notebook asks for its picture, and no sooner.
LATE = {"mmsim.sim.shown": {"mmsim.draw.shown"}}


def tree(name):
    spec = importlib.util.find_spec(name)
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8"))


def imported(name):
    """The modules that a module imports, those for type checking left out."""
    source = tree(name)
    branches = [n for n in ast.walk(source) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test)]
    hidden = {node for branch in branches for node in ast.walk(branch)}
    found = set()
    for node in set(ast.walk(source)) - hidden:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    found -= LATE.get(name, set())
    return {module for module in found if module in MODULES or not module.startswith("mmsim")}


def test_the_face_imports_nothing_outside_the_standard_library():
    script = "import sys; before = set(sys.modules); import mmsim; print(*set(sys.modules) - before)"
    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, text=True, check=True)
    names = {name.partition(".")[0] for name in loaded.stdout.split()}
    assert "mmsim" in names
    assert names - {"mmsim"} <= set(sys.stdlib_module_names)


@pytest.mark.parametrize("name", CORE)
def test_the_core_imports_nothing_outside_the_standard_library(name):
    assert not [module for module in imported(name)
                if not module.startswith("mmsim") and module.partition(".")[0] not in sys.stdlib_module_names]


def test_no_import_runs_in_a_circle():
    done, way = set(), []

    def visit(name):
        assert name not in way, f"a circle: {' -> '.join([*way, name])}"
        if name in done:
            return
        way.append(name)
        for module in sorted(imported(name) & set(MODULES)):
            if not is_package(module):
                visit(module)
        done.add(way.pop())

    for name in MODULES:
        if not is_package(name):
            visit(name)


def is_package(name):
    return (ROOT.parent / Path(*name.split("."))).is_dir()


FLOORS = (
    "sim", "mm", "virtio_mem", "series", "machine", "scenario", "draw", "questions", "widgets", "chapters",
)  # fmt: skip
"""The library from the ground up."""


def floor_of(module):
    """The number of the floor that a module is on; None for the face and the command line, which may see all."""
    name = module.split(".")[1] if "." in module else ""
    return FLOORS.index(name) if name in FLOORS else None


@pytest.mark.parametrize("name", [name for name in MODULES if floor_of(name) is not None])
def test_an_import_goes_down(name):
    ours = [module for module in imported(name) if module.startswith("mmsim.")]
    assert not [m for m in ours if floor_of(m) is None or floor_of(m) > floor_of(name)]


@pytest.mark.parametrize("name", LATE)
def test_the_import_that_goes_up_is_inside_of_a_function_and_waits_for_a_picture(name):
    top = {node.module for node in tree(name).body if isinstance(node, ast.ImportFrom)}
    assert not top & LATE[name]
    script = (
        "import sys; from mmsim import Machine; m = Machine(); r = m.attempt('wait', 1); print(repr(m), repr(r)); "
        "assert 'mmsim.draw' not in sys.modules; m._repr_html_(); assert 'mmsim.draw' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT.parent, capture_output=True, check=True)


def test_every_module_is_on_a_floor():
    assert [name for name in MODULES if floor_of(name) is None] == ["mmsim.__main__"]


@pytest.mark.parametrize("name", [name for name in CORE if name != "mmsim.__main__"])
def test_what_is_public_has_a_docstring(name):
    module = importlib.import_module(name)
    assert inspect.getdoc(module)
    for thing in vars(module).values():
        if getattr(thing, "__module__", None) == name and (inspect.isfunction(thing) or inspect.isclass(thing)):
            if thing.__name__.startswith("_") or "<" in thing.__qualname__:  # what a function has made
                continue
            assert thing.__doc__, thing
            for method in vars(thing).values() if inspect.isclass(thing) else ():
                if inspect.isfunction(method) and not method.__name__.startswith("_"):
                    assert method.__doc__, method


def test_all_names_of_the_face_are_there():
    assert all(hasattr(mmsim, name) for name in mmsim.__all__)
    assert sorted(mmsim.__all__, key=lambda n: (not n.isupper(), n.islower(), n)) == mmsim.__all__


def test_the_wheel_carries_every_file_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT.parent)
    with zipfile.ZipFile(tmp_path / build_wheel(tmp_path)) as wheel:
        carried = {name for name in wheel.namelist() if name.startswith("mmsim/")}
    there = {path.relative_to(ROOT.parent).as_posix() for path in ROOT.rglob("*") if path.is_file()}
    assert carried == {name for name in there if "__pycache__" not in name}
    assert {"mmsim/draw/style.css", "mmsim/draw/questions.css"} <= carried
