"""Say in one sentence why this Python can't make the environment. Runs on any Python from 3.6 on."""

import sys
from importlib.util import find_spec

VERSION = "{}.{}".format(*sys.version_info)
ADVICE = "Choose another Python with 'make PYTHON=/path/to/python3 ...'."

if sys.version_info < (3, 11):  # noqa: UP036 - to say so is what this file is for
    sys.exit(f"Python 3.11 or newer is needed; {sys.executable} is {VERSION}. {ADVICE}")
if not (find_spec("venv") and find_spec("ensurepip")):
    sys.exit(
        f"{sys.executable} can't make virtual environments: its venv or ensurepip module is missing "
        f"(Debian, Ubuntu: apt-get install python3-venv). {ADVICE}"
    )
if sys.version_info >= (3, 14):
    print(f"Note: the book's tools are tested on Python 3.11 to 3.13; this is {VERSION}.")
