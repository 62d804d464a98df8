"""Sphinx extension: the site serves its own third-party JavaScript, so that no page asks another host.

`npm ci` brings the files, `_config.yml` names them below `_static/`, and this copies them there. A `_static/`
beside `_config.yml` is no place for them: Jupyter Book would add every script in it to every page.
"""

from pathlib import Path
from shutil import copyfile

from sphinx.application import Sphinx
from sphinx.config import Config

MODULES = Path(__file__).resolve().parent.parent / "node_modules"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
MISSING = "This copy of the book was built without npm's packages: live widgets and formulas are off."

# A folder of the site's `_static/`, and what it holds.
FILES = {
    "html-manager": (
        "@jupyter-widgets/html-manager/dist/embed.js",
        "@jupyter-widgets/html-manager/dist/embed.js.LICENSE.txt",
        "@jupyter-widgets/html-manager/dist/*.woff2",  # its icons; it looks for them beside itself
    ),
    "mathjax": ("mathjax/es5/tex-svg.js", "mathjax/LICENSE"),
}


def have_modules() -> bool:
    return all(any(MODULES.glob(pattern)) for patterns in FILES.values() for pattern in patterns)


def without_modules(app: Sphinx, config: Config) -> None:
    """Where npm's packages are missing, show each widget's static form instead of the widget, and say so."""
    if not have_modules():
        print(MISSING)
        config.nb_ipywidgets_js = {}
        config.nb_mime_priority_overrides = [("html", WIDGET_VIEW, None)]
        config.html_theme_options["announcement"] = MISSING


def copy_files(app: Sphinx) -> None:
    for folder, patterns in FILES.items():
        target = Path(app.outdir, "_static", folder)
        target.mkdir(parents=True, exist_ok=True)
        for file in (file for pattern in patterns for file in MODULES.glob(pattern)):
            copyfile(file, target / file.name)


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("config-inited", without_modules)
    app.connect("builder-inited", copy_files)  # before the pages, which name them with their checksums
    return {"parallel_read_safe": True, "parallel_write_safe": True}
