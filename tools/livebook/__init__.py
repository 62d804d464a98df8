"""Sphinx extension: pages whose cells and widgets run in the reader's browser, from a host that only serves files.

Settings: `livebook_packages`, importable packages that the notebooks use; `livebook_files`, files and folders that they
read, relative to the source folder; `livebook_missing`, modules that no page can have. README.md says the rest.
"""

import os
from pathlib import Path
from shutil import copyfile, copytree, rmtree

from sphinx.application import Sphinx
from sphinx.config import Config
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

from . import notebooks, pages, runtime

MISSING = "This copy of the book was built without npm's packages: live pages and formulas are off."
FOLDER = "livebook"  # below the site's _static/
logger = logging.getLogger(__name__)


def configure(app: Sphinx, config: Config) -> None:
    """Widgets are drawn by us; where that can't be, show each widget's static form instead, and say so."""
    config.nb_ipywidgets_js = {}
    config.mathjax_path = f"{FOLDER}/mathjax/tex-svg.js"
    if not runtime.installed():
        logger.info(MISSING)
        config.nb_mime_priority_overrides = [("html", notebooks.WIDGET_VIEW, None)]
        config.html_theme_options["announcement"] = MISSING


def add_files(app: Sphinx) -> None:
    """Everything that the pages load, below `_static/`: made, or taken from the last build."""
    if app.builder.format != "html" or not runtime.installed():
        return
    target = Path(app.outdir, "_static", FOLDER)
    made = runtime.make(app.config, Path(app.srcdir), Path(app.doctreedir).parent / FOLDER)
    rmtree(target, ignore_errors=True)  # the last build's, whose names are others
    copytree(made, target)
    for name in ("tex-svg.js", "../LICENSE"):
        source = runtime.MODULES / "mathjax" / "es5" / name
        (target / "mathjax").mkdir(exist_ok=True)
        copyfile(source, target / "mathjax" / source.name)


def all_pages(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Every page names the runtime's files, whose names change with it: none is kept from the last build."""
    return sorted(env.found_docs)


def finish(app: Sphinx, error: Exception | None) -> None:
    """Give each page what makes it live, and a Content-Security-Policy."""
    if error is None and app.builder.format == "html" and runtime.installed():
        pages.finish(Path(app.outdir), FOLDER, app.config.livebook_missing)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx. What notebooks run can see that it is for pages: `LIVEBOOK` is in their environment."""
    os.environ["LIVEBOOK"] = "1"
    app.add_config_value("livebook_packages", [], "html", [list])
    app.add_config_value("livebook_files", [], "html", [list])
    app.add_config_value("livebook_missing", ["matplotlib", "numpy"], "html", [list])
    app.connect("config-inited", configure)
    app.connect("builder-inited", add_files)  # before the pages, which name some of them with their checksums
    app.connect("doctree-read", notebooks.name_cells)
    app.connect("env-updated", all_pages)
    app.connect("build-finished", finish, priority=900)  # after those who write pages then
    app.add_post_transform(notebooks.StillPictures)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
