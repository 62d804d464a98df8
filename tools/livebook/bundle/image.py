"""Runs in Pyodide when the book is built, before its memory becomes the image that every page starts from.

Imports all that pages are likely to use, and forgets what would only be weight.
"""

import gc
import importlib
import linecache
import pkgutil
import random
import re
import sys
import zipfile
import zipimport

PACKAGES = "/lib/packages.zip"


def import_all(names: list[str]) -> None:
    """Import packages with all their modules."""
    for name in names:
        package = importlib.import_module(name)
        for found in pkgutil.walk_packages(package.__path__, f"{name}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)


def forget() -> None:
    """Empty caches, those of archives too: others will stand in their place."""
    re.purge()
    linecache.clearcache()
    sys._clear_internal_caches()
    zipimport._zip_directory_cache.clear()
    sys.path_importer_cache.clear()
    gc.collect()


def main(packages: list[str]) -> None:
    """Get ready for a page, in the same way each time."""
    sys.path.insert(0, PACKAGES)
    kernel = importlib.import_module("livebook_kernel").kernel
    kernel.shell.display_formatter.format(None)  # it makes all its formatters now
    with zipfile.ZipFile(PACKAGES) as archive:
        kernel.files = {f"/{name}": archive.read(name) for name in archive.namelist() if name.startswith("book/")}
    importlib.import_module("ipywidgets")
    import_all(packages)
    random.seed(0)
    forget()
    gc.freeze()  # all this stays: no collection in a page has to look at it
