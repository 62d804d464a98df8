"""IPython in a page: its display system as it is, and of the rest what runs cells without a terminal."""

from IPython.core.getipython import get_ipython
from IPython.display import display

__all__ = ["display", "get_ipython", "version_info"]
version_info = (9, 0)
