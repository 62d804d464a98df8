"""A reader whom nobody watches: no debugger is on the page, as that takes time; a script in it says when it was."""

import json
import os
import queue
import re
import shutil
import subprocess
import tempfile
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path

import websocket

BROWSER = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
PATIENCE = 300  # seconds for one visit
MOVES = 30

# Tells the host when the slider was there, in milliseconds from navigation. On the first visit of a profile the reader
# moves it to and fro: browsers keep machine code, of WebAssembly, only of what is used. They need time to store it.
# In a block, as the names are none of the page's.
SCRIPT = """{
const [slider, moves] = %s;
const pause = (time) => new Promise((done) => setTimeout(done, time));
const press = (element, key, more = {}) => {
    element.focus();
    element.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...more}));
};
const once = (look) => new Promise((found) => {
    const observer = new MutationObserver(() => {
        if (!look()) return;
        observer.disconnect();
        found(look());
    });
    observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
});
once(() => document.querySelector(slider)).then(async (handle) => {
    const seen = performance.now();
    for (let move = localStorage.getItem("moves") ?? 0; move < moves; move += 1) {
        press(handle, move %% 2 ? "ArrowLeft" : "ArrowRight");
        await pause(300);
    }
    localStorage.setItem("moves", moves);
    await pause(3000);
    await fetch(`/seen?${seen}`);
});
%s
}"""


@contextmanager
def scripted(site, page, slider, more=""):
    """A copy of a site whose page says when its slider (a selector) is there; `more`: what the script does besides."""
    with tempfile.TemporaryDirectory(dir=site.parent) as folder:
        copy = Path(folder) / "site"
        shutil.copytree(site, copy, copy_function=os.link)
        (copy / "reader.js").write_text(SCRIPT % (json.dumps([slider, MOVES]), more))
        text = (copy / page).read_text()
        assert "<head>" in text, f"{page} has no head"
        (copy / page).unlink()  # it is the site's own
        (copy / page).write_text(text.replace("<head>", '<head><script src="/reader.js"></script>', 1))
        yield copy


class Reader:
    """A browser that keeps what it loads, as readers' do; at first it has nothing."""

    def __init__(self, socket):
        self.socket, self.last = socket, 0

    def ask(self, method, **params):
        """Send a command to the browser itself, and wait for its answer."""
        self.last += 1
        self.socket.send(json.dumps({"id": self.last, "method": method, "params": params}))
        while (message := json.loads(self.socket.recv())).get("id") != self.last:
            pass
        return message["result"]

    def visit(self, host, path):
        """Open a page in a new tab; the seconds from navigation to its slider."""
        tab = self.ask("Target.createTarget", url=f"{host.address}{path}")["targetId"]
        try:
            return host.seen.get(timeout=PATIENCE) / 1000
        except queue.Empty:
            raise TimeoutError(f"{path} has shown no slider for {PATIENCE} s") from None
        finally:
            self.ask("Target.closeTarget", targetId=tab)


@contextmanager
def reading():
    """A `Reader`, with a new profile."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = ["chromium", "--headless", *BROWSER, "--remote-debugging-port=0", f"--user-data-dir={folder}"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            heard = (re.search(r"listening on (ws://\S+)", line) for line in process.stderr)
            address = next(filter(None, heard))[1]
            threading.Thread(target=process.stderr.read, daemon=True).start()  # or it would wait for who reads it
            time.sleep(2)  # its own start is none of the pages' time
            try:
                with closing(websocket.create_connection(address, timeout=PATIENCE, suppress_origin=True)) as socket:
                    yield Reader(socket)
            finally:
                process.terminate()
