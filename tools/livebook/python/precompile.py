"""Runs in Pyodide when the book is built: byte code for its Python, and what of the library a page needs at first.

`importlib` gives up on a .pyc of another Python, so what compiles must be the Python that will run. Everything written
is a function of its input alone: no time stamps, hash-based .pyc files.
"""

import importlib
import pkgutil
import sys
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import source_hash
from pathlib import Path
from types import ModuleType
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

STDLIB = "/lib/python314.zip"
# What no page can use: there are no other processes, terminals, windows or servers.
USELESS = (
    "_pyrepl", "curses", "ensurepip", "idlelib", "lib2to3", "multiprocessing", "pydoc_data", "sqlite3", "test",
    "tkinter", "turtle", "turtledemo", "venv", "wsgiref", "xmlrpc",
)  # fmt: skip


def pyc(source: bytes, filename: str) -> bytes:
    """Byte code that is never compared with its source."""
    code = compile(source, filename, "exec", dont_inherit=True)
    return bytes(_code_to_hash_pyc(code, source_hash(source), checked=False))


def write(target: str, members: dict[str, bytes]) -> None:
    """A zip file that depends on its members alone."""
    with ZipFile(target, "w") as archive:
        for name, content in sorted(members.items()):
            info = ZipInfo(name)
            info.compress_type = ZIP_DEFLATED
            archive.writestr(info, content, compresslevel=9)


def members(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def compiled(files: dict[str, bytes], home: str, sources: bool = False) -> dict[str, bytes]:
    """Byte code instead of the modules, or beside them."""
    code = {f"{name}c": pyc(text, f"{home}/{name}") for name, text in files.items() if name.endswith(".py")}
    return code | {name: text for name, text in files.items() if sources or not name.endswith(".py")}


def import_all(names: list[str]) -> None:
    """Import what can be imported, to see what it needs."""
    for name in names:
        module = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def in_use() -> set[str]:
    """Members of the standard library's archive that have been imported."""
    files = (getattr(module, "__file__", None) or "" for module in list(sys.modules.values()))
    return {file.removeprefix(f"{STDLIB}/") for file in files if file.startswith(STDLIB)}


def split_stdlib(first: str, rest: str) -> list[str]:
    """The standard library as byte code: what is in use, and all else that can be of use, whose names are returned."""
    with ZipFile(STDLIB) as archive:
        files = {name: archive.read(name) for name in archive.namelist() if not name.endswith("/")}
    useful = {name: text for name, text in files.items() if name.split("/")[0].removesuffix(".py") not in USELESS}
    used = in_use()
    now = {name: text for name, text in useful.items() if name in used}
    later = {name: text for name, text in useful.items() if name not in now}
    write(first, compiled(now, STDLIB))
    write(rest, compiled(later, STDLIB))
    return sorted({name.split("/")[0].removesuffix(".py") for name in later})


def main(imports: list[str]) -> list[str]:
    """From /stage/base, /stage/own and /stage/files, and this Python's library, what /out is to have.

    Returns the names of the library's modules and packages of which something comes later.
    """
    home = "/lib/packages.zip"
    base, own = members(Path("/stage/base")), members(Path("/stage/own"))
    write("/out/packages.zip", compiled(base, home) | compiled(own, home, sources=True))
    write("/out/files.zip", members(Path("/stage/files")))
    sys.path.insert(0, "/out/packages.zip")
    page = sys.modules["livebook_page"] = ModuleType("livebook_page")  # the worker's side, which is not here
    page.post = page.load_rest = page.rest_integrity = page.rest_modules = None
    importlib.import_module("livebook_kernel")
    importlib.import_module("ipywidgets")
    import_all(list(imports))
    return split_stdlib("/out/first.zip", "/out/rest.zip")
