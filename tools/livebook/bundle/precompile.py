"""Runs in Pyodide when the book is built: archives of byte code for the Python of the pages.

`importlib` gives up on a .pyc of another Python, so what compiles must be the Python that will run. Everything written
is a function of its input alone: no time stamps, hash-based .pyc files.
"""

import sys
from importlib._bootstrap_external import _code_to_hash_pyc
from importlib.util import source_hash
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

LIBRARY = "/lib/python{}{}.zip".format(*sys.version_info)
PACKAGES = "/lib/packages.zip"
STUB = "ssl.py"  # of no use, and asyncio would take it into every page
WHOLE, LEAN = 0, 2  # `compile`'s optimize: all that the source says; without docstrings, which nearly nobody reads here


def pyc(source: bytes, filename: str, optimize: int) -> bytes:
    """Byte code that is never compared with its source."""
    code = compile(source, filename, "exec", dont_inherit=True, optimize=optimize)
    return bytes(_code_to_hash_pyc(code, source_hash(source), checked=False))


def write(target: str, members: dict[str, bytes], compression: int = ZIP_DEFLATED) -> None:
    """A zip file that depends on its members alone."""
    with ZipFile(target, "w") as archive:
        for name, content in sorted(members.items()):
            info = ZipInfo(name)
            info.compress_type = compression
            archive.writestr(info, content, compresslevel=9)


def members(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """Every file below a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {prefix + path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def compiled(files: dict[str, bytes], home: str, optimize: int) -> dict[str, bytes]:
    """Byte code in the place of the modules."""
    code = {f"{name}c": pyc(text, f"{home}/{name}", optimize) for name, text in files.items() if name.endswith(".py")}
    return code | {name: text for name, text in files.items() if not name.endswith(".py")}


def standard_library() -> dict[str, bytes]:
    """Pyodide's, which is without what no page can use."""
    with ZipFile(LIBRARY) as archive:
        return {name: archive.read(name) for name in archive.namelist() if not name.endswith("/") and name != STUB}


def main() -> None:
    """From /stage/base, own and files: /out/library.zip, what an import finds that the image has not yet, and in /stage
    compiled.zip, what the image is made with, and packages.zip, what a page has in its place: sources to look at.
    """
    own = members(Path("/stage/own"))
    write("/out/library.zip", compiled(standard_library() | members(Path("/stage/base")), LIBRARY, LEAN))
    write("/stage/compiled.zip", compiled(own, PACKAGES, WHOLE) | members(Path("/stage/files"), "book/"))
    # It goes into a file that is compressed as a whole.
    write("/stage/packages.zip", own, ZIP_STORED)
