"""A small book of another kind: plain Sphinx with its own theme. What it shows is what the tests look at."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))  # the folder that `livebook` lies in

project = "A small book"
extensions = ["myst_nb", "livebook"]
myst_enable_extensions = ["dollarmath"]
nb_merge_streams = True
livebook_packages = ["packaging"]
livebook_files = ["data"]
