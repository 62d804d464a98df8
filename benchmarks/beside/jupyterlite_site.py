"""The same live widget in JupyterLite, for comparison: its own site, on one host, and what its reader does.

JupyterLite gets its fastest set-up: its kernel's packages, ipywidgets and mmsim stand in Pyodide's lock file and load
with Pyodide itself. (As it comes it finds most of them one by one with micropip, after Pyodide has started.)
"""

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "_build" / "jupyterlite"
CELL = "from mmsim.chapters import patch5\npatch5.partial_block()"
NOTEBOOK = "widget.ipynb"
PAGE, QUERY = "notebooks/index.html", f"?path={NOTEBOOK}"
SLIDER = ".jp-OutputArea-output .jupyter-widgets .noUi-handle"
# The reader (reader.py) runs the cell as soon as the notebook names its kernel, seconds before Python is up: the wait
# costs no time. Even earlier, it can start a second kernel beside the one that is starting. The key may have to be
# pressed more than once before JupyterLite heeds it.
RUN = """
const named = () => document.querySelector(".jp-KernelName")?.textContent.includes("Pyodide");
const code = () => document.querySelector(".jp-CodeCell .cm-content");
const runs = () => document.querySelector(".jp-CodeCell .jp-InputPrompt").textContent.includes("*");
once(() => named() && code()).then(async () => {
    for (; !runs(); await pause(200)) press(code(), "Enter", {ctrlKey: true, keyCode: 13});
});
"""

# What the site is built with. jupyterlab_widgets draws the widgets.
BUILDERS = """
doit==0.37.0
jupyter_core==5.9.1
jupyterlab_widgets==3.0.17
jupyterlite-core==0.8.6
jupyterlite-pyodide-kernel==0.8.6
pkginfo==2.0
platformdirs==4.14.7
traitlets==5.16.1
"""
# What runs in the browser: the Pyodide that this kernel is made for, and the versions that this Pyodide has itself.
PYODIDE = "pyodide@314.0.6"
WHEELS = """
asttokens==3.0.1
comm==0.2.3
decorator==5.2.1
executing==2.2.1
ipython==9.12.0
ipython-pygments-lexers==1.1.1
ipywidgets==8.1.9
jedi==0.19.2
matplotlib-inline==0.2.1
micropip==0.11.1
parso==0.8.6
prompt-toolkit==3.0.52
pure-eval==0.2.3
pygments==2.20.0
six==1.17.0
stack-data==0.6.3
traitlets==5.14.3
wcwidth==0.6.0
"""
KERNEL = "@jupyterlite/pyodide-kernel-extension"
OWN_WHEELS = ("ipykernel", "piplite", "pyodide_kernel", "widgetsnbextension-4")  # the kernel brings these


def run(*command, cwd=None):
    """Run a program, silently unless it fails."""
    done = subprocess.run([*map(str, command)], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout}")


def pip(python, *arguments):
    """Run pip."""
    run(python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments)


def base_site(cache):
    """The folder of a site without a notebook and without mmsim: made once for these versions."""
    pins = "\n".join((PYODIDE, BUILDERS, WHEELS))
    done = cache / f"site-{hashlib.sha256(pins.encode()).hexdigest()[:12]}"
    if done.exists():
        return done
    work = cache / "work"
    shutil.rmtree(work, ignore_errors=True)
    venv.create(work / "env", with_pip=True)
    programs = work / "env" / ("Scripts" if sys.platform == "win32" else "bin")
    (work / "builders.txt").write_text(BUILDERS)
    (work / "wheels.txt").write_text(WHEELS)
    pip(programs / "python", "install", "--no-deps", "--requirement", work / "builders.txt")
    (work / "lite").mkdir()
    run(programs / "jupyter-lite", "build", "--output-dir", work / "site", cwd=work / "lite")
    npm = shutil.which("npm", path=str(Path(sys.executable).parent)) or "npm"
    run(npm, "pack", "--ignore-scripts", PYODIDE, cwd=work)
    with tarfile.open(next(work.glob("pyodide-*.tgz"))) as archive:
        archive.extractall(work, filter="data")
    pyodide = work / "site" / "static" / "pyodide"
    pyodide.mkdir(parents=True)
    for name in ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", "pyodide-lock.json"):
        shutil.copy(work / "package" / name, pyodide)
    pip(programs / "python", "download", "--no-deps", "--only-binary=:all:", "--python-version=3.14", "--dest", pyodide,
        "--requirement", work / "wheels.txt")  # fmt: skip
    for name in OWN_WHEELS:
        shutil.copy(next((work / "site" / "extensions" / KERNEL / "static" / "pypi").glob(f"{name}*.whl")), pyodide)
    (work / "site").rename(done)
    shutil.rmtree(work)
    return done


def lock_entry(wheel):
    """What Pyodide's lock file says of a wheel; `depends` may name what the lock file doesn't have."""
    with zipfile.ZipFile(wheel) as files:
        names = files.namelist()
        about = files.read(next(name for name in names if name.endswith(".dist-info/METADATA"))).decode()
    needs = re.findall(r"^Requires-Dist: ([\w.-]+)(?!.*extra ==)", about, re.MULTILINE)
    name, version = wheel.name.split("-")[:2]
    return {
        "name": normal(name),
        "version": version,
        "file_name": wheel.name,
        "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "install_dir": "site",
        "package_type": "package",
        "unvendored_tests": False,
        "imports": sorted({Path(n).parts[0].removesuffix(".py") for n in names if ".dist-info" not in n}),
        "depends": [normal(need) for need in needs],
    }


def normal(name):
    """A distribution's name as the lock file has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def write_lock(pyodide):
    """Write Pyodide's lock file with the wheels beside it and nothing else; return their names."""
    path = pyodide / "pyodide-lock.json"
    packages = {entry["name"]: entry for entry in map(lock_entry, sorted(pyodide.glob("*.whl")))}
    for entry in packages.values():
        entry["depends"] = [name for name in entry["depends"] if name in packages]
    packages["zone-movable"]["depends"] = ["ipywidgets"]  # an extra
    path.write_text(json.dumps({"info": json.loads(path.read_text())["info"], "packages": packages}))
    return sorted(packages)


def write_notebook(site, cell):
    """Put the notebook with its one cell into the site, and into the list of its files."""
    code = {"cell_type": "code", "id": "widget", "metadata": {}, "execution_count": None, "outputs": [], "source": cell}
    kernel = {"name": "python", "display_name": "Python (Pyodide)", "language": "python"}
    notebook = {"cells": [code], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    text = json.dumps(notebook)
    when = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    common = {"created": when, "last_modified": when, "writable": True, "mimetype": None}
    file = {"name": NOTEBOOK, "path": NOTEBOOK, "type": "notebook", "format": None, "content": None, "size": len(text)}
    folder = {"name": "", "path": "", "type": "directory", "format": "json", "content": [file | common], "size": None}
    for path, content in (("files", text), ("api/contents", json.dumps(folder | common))):
        (site / path).mkdir(parents=True, exist_ok=True)
        (site / path / (NOTEBOOK if path == "files" else "all.json")).write_text(content)


def make_site(cache=CACHE, cell=CELL, source=ROOT, preload=True):
    """Make the site below `cache`, as far as it isn't there, with mmsim as `source` has it; return its folder.

    Without `preload` the kernel fetches its packages as it does by default: one after the other, once Pyodide runs.
    """
    site = base_site(Path(cache).resolve())
    pyodide = site / "static" / "pyodide"
    for wheel in pyodide.glob("zone_movable-*.whl"):
        wheel.unlink()
    with tempfile.TemporaryDirectory() as built:
        pip(sys.executable, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", built, source)
        for wheel in Path(built).glob("*.whl"):
            shutil.copy(wheel, pyodide)
    packages = write_lock(pyodide)
    write_notebook(site, cell)
    path = site / "jupyter-lite.json"
    config = json.loads(path.read_text())
    config["jupyter-config-data"]["contentsAllJsonFile"] = "all.json"
    config["jupyter-config-data"]["litePluginSettings"][f"{KERNEL}:kernel"] |= {
        "pyodideUrl": "./static/pyodide/pyodide.mjs",
        "disablePyPIFallback": True,
        "loadPyodideOptions": {"packages": packages if preload else []},
    }
    path.write_text(json.dumps(config))
    return site
