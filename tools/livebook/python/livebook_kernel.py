"""Runs a page's cells in its worker, as a Jupyter kernel would: outputs, displays, and the widgets' comms.

What is sent to the page are messages of the Jupyter protocol, without headers, as JSON: `stream`, `display_data`,
`execute_result`, `error`, `clear_output`, `update_display_data`, `comm_open`, `comm_msg`, `comm_close`.
"""

from __future__ import annotations

import ast
import asyncio
import builtins
import gc
import io
import json
import os
import random
import sys
import traceback
import zipimport
from base64 import b64encode
from hashlib import sha256
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import comm
import livebook_magics
from comm.base_comm import BaseComm
from IPython import display, get_ipython
from IPython.core.error import UsageError
from IPython.core.interactiveshell import InteractiveShell
from pyodide.code import CodeRunner
from pyodide.ffi import to_js

import __main__

MOST_TEXT = 200_000  # characters that one cell may print: a page is no terminal
FLUSH_AT = 8_000
REST = 0.1  # seconds after the last answer until garbage is collected: in the middle of a move it would be felt
LIBRARY = "/lib/python{}{}.zip".format(*sys.version_info)
OURS = f"{LIBRARY}/livebook_"
WIDGETS = "widgets"  # what asks when no cell does


def send(kind: str, content: dict[str, Any], buffers: list[Any] | None = None) -> None:
    """A message to the page; binary buffers travel beside the JSON."""
    flush()
    post_now(kind, content, buffers)


def post_now(kind: str, content: dict[str, Any], buffers: list[Any] | None = None) -> None:
    """Send, without what was printed before."""
    message = json.dumps({"type": kind, "cell": kernel.cell, **content}, default=str)
    kernel.post(message, to_js([memoryview(b).tobytes() for b in buffers or []]))


class Comm(BaseComm):
    """A channel between a widget here and its model in the page."""

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        """Send one of `comm_open`, `comm_msg`, `comm_close`."""
        content = {"comm_id": self.comm_id, "data": data or {}, "metadata": metadata or {}, **keys}
        send(msg_type, {**content, "parent": kernel.parent}, buffers)


class Stream(io.TextIOBase):
    """Standard output or error: gathered, sent in large pieces, and cut where a page could not show it."""

    def __init__(self, name: str) -> None:
        self.name, self.parts, self.waiting, self.shown = name, list[str](), 0, 0

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def write(self, text: str) -> int:
        """Keep a text until there is enough of it."""
        if self.shown <= MOST_TEXT:
            self.parts.append(text)
            self.waiting += len(text)
            self.shown += len(text)
            if self.shown > MOST_TEXT:
                self.parts.append(f"\n… cut: the cell printed more than {MOST_TEXT:,} characters\n")
            if self.waiting > FLUSH_AT:
                flush()
        return len(text)

    def flush(self) -> None:
        """Send what was gathered."""
        text, self.parts, self.waiting = "".join(self.parts), [], 0
        if text:
            kernel.publish_output("stream", {"name": self.name, "text": text})


STREAMS = (Stream("stdout"), Stream("stderr"))


def flush() -> None:
    """Send what has been printed."""
    for stream in STREAMS:
        stream.flush()


class Library:
    """Has the library's archive fetched when something is to be imported that the image doesn't have."""

    def __init__(self, page: Any) -> None:
        self.page = page

    def find_spec(self, name, path=None, target=None):
        """What `import` asks before it looks into archives. Raises ImportError if the archive does not come."""
        inside = any(str(place).startswith(LIBRARY) for place in path or ())
        if inside or (path is None and name in sys.stdlib_module_names):
            self.fetch()
            sys.meta_path.remove(self)

    def fetch(self) -> None:
        """Put the archive in its place, if it is the one that was built."""
        content = self.page.loadLibrary().to_bytes()
        if self.page.integrity != f"sha256-{b64encode(sha256(content).digest()).decode()}":
            raise ImportError("the rest of the standard library can't be loaded: is the network there?")
        with open(LIBRARY, "wb") as file:
            file.write(content)
        zipimport._zip_directory_cache.clear()


class Kernel:
    """The one kernel of a page. `cell` is the cell that runs now, or None; `parent` the number of a widget's message
    that is answered; `files` what cells read: path -> content.
    """

    def __init__(self) -> None:
        self.cell: str | None = None
        self.parent: int | None = None
        self.files = dict[str, bytes]()
        self.timer: asyncio.TimerHandle | None = None
        self.shell = InteractiveShell.instance(display_pub=self, kernel=self, user_ns=vars(__main__))

    def start(self, page: Any, folder: str) -> None:
        """Take over displays, comms and prints; work in a folder, where the page's notebook lies."""
        random.seed()  # the image has the same numbers for all
        self.post = page.post
        sys.stdout, sys.stderr = STREAMS
        sys.meta_path.insert(sys.meta_path.index(PathFinder), Library(page))
        comm.create_comm = Comm
        for name, content in self.files.items():
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_bytes(content)
        os.makedirs(folder, exist_ok=True)
        os.chdir(folder)
        sys.path.insert(0, "")
        vars(builtins).update(display=display, get_ipython=get_ipython)

    # -- what IPython and ipywidgets ask of a kernel ----------------------------------------------------

    def get_parent(self) -> dict[str, Any]:
        """The request that is worked on: an Output widget takes what belongs to it."""
        return {"header": {"msg_id": self.cell or WIDGETS}}

    def publish(self, data, metadata=None, *, transient=None, update=False, **ignored):
        """Show a bundle of MIME types."""
        kind = "update_display_data" if update else "display_data"
        content = {"data": data, "metadata": metadata or {}, **({"transient": transient} if transient else {})}
        flush()
        self.publish_output(kind, content)

    def clear_output(self, wait: bool = False) -> None:
        """Empty the cell's output, or do so when something else comes."""
        if (output := self.capturing()) is not None:
            output.outputs = ()
        else:
            send("clear_output", {"wait": wait})

    def publish_output(self, kind: str, content: dict[str, Any]) -> None:
        """Send an output, to the Output widget that is open or to the cell."""
        if (output := self.capturing()) is not None:
            output.outputs = (*output.outputs, {"output_type": kind, **content})
        else:
            post_now(kind, content)

    def capturing(self) -> Any:
        """The Output widget that takes the cell's outputs, or None."""
        if (widgets := sys.modules.get("ipywidgets")) is None:
            return None
        outputs = (w for w in widgets.widget._instances.values() if isinstance(w, widgets.Output))
        return next((w for w in outputs if w.msg_id == (self.cell or WIDGETS)), None)

    # -- what the page asks ------------------------------------------------------------------------------

    async def run(self, cell: str, code: str) -> bool:
        """Run a cell in `__main__` and show its last expression, or how it failed. Did it get to its end?"""
        self.cell = cell
        for stream in STREAMS:
            stream.shown = 0
        try:
            runner = CodeRunner(livebook_magics.plain(code), filename=cell, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            value = await runner.compile().run_async(vars(__main__))
            if value is not None:
                self.show(value)
            return True
        except BaseException as error:
            self.show_error(error)
            return False
        finally:
            self.answered()
            self.cell = None

    def show(self, value: Any) -> None:
        """The value of a cell's last expression."""
        data, metadata = self.shell.display_formatter.format(value)
        flush()
        if data:
            self.publish_output("execute_result", {"data": data, "metadata": metadata})

    def show_error(self, error: BaseException) -> None:
        """An error, with the lines of the reader's cells and of libraries, and none of what runs them."""
        flush()
        content = {"ename": type(error).__name__, "evalue": str(error), "traceback": self.told(error)}
        self.publish_output("error", content)

    def told(self, error: BaseException) -> str:
        """What is shown of an error; of what a page can't do, that alone."""
        if isinstance(error, UsageError):
            return f"UsageError: {error}"
        trace = error.__traceback__
        while trace is not None and not trace.tb_frame.f_code.co_filename.startswith("cell "):
            trace = trace.tb_next
        return "".join(line for line in traceback.format_exception(type(error), error, trace) if OURS not in line)

    def comm_msg(self, message: str, buffers: Any) -> None:
        """A widget's model in the page has changed, or was clicked."""
        content = json.loads(message)
        self.parent = content["msg_id"]
        whole = {"content": content, "buffers": [b.to_memoryview() for b in buffers]}
        comm.get_comm_manager().comm_msg(None, None, whole)
        self.answered()

    def answered(self) -> None:
        """Send what is left, and tidy up when nothing more is asked."""
        flush()
        if self.timer is not None:
            self.timer.cancel()
        self.timer = asyncio.get_running_loop().call_later(REST, gc.collect)


kernel = Kernel()
