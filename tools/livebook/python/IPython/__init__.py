"""IPython in a page: its modules as they are, but for what starts a terminal."""

from IPython.core.getipython import get_ipython
from IPython.core.release import version as __version__
from IPython.core.release import version_info
from IPython.display import display

__all__ = ["__version__", "display", "get_ipython", "version_info"]
