"""Firefox, driven by WebDriver BiDi: as much of it as tests need. (Playwright drives no Firefox but its own.)"""

import json
import re
import shutil
import subprocess
import time
from contextlib import contextmanager

import pytest
from browsing import missing

PREFERENCES = {
    "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1", "network.proxy.ssl_port": 9, "network.proxy.no_proxies_on": "127.0.0.1",
    "datareporting.policy.dataSubmissionEnabled": False, "app.update.enabled": False,
}  # fmt: skip


class Firefox:
    """One page of a running Firefox. `errors`: what its console has said in anger."""

    def __init__(self, socket):
        self.socket, self.last, self.errors = socket, 0, []
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=["log.entryAdded"])
        self.context = self.ask("browsingContext.getTree")["contexts"][0]["context"]

    def ask(self, method, **params):
        """Send a command and wait for its answer; what happens meanwhile is noted."""
        self.last += 1
        self.socket.send(json.dumps({"id": self.last, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.last:
                assert message["type"] == "success", message
                return message["result"]
            if message.get("method") == "log.entryAdded" and message["params"]["level"] == "error":
                self.errors.append(message["params"]["text"])

    def open(self, address):
        """Go to a page, and wait until it is loaded."""
        self.ask("browsingContext.navigate", context=self.context, url=address, wait="complete")

    def see(self, script):
        """What a JavaScript expression is, as JSON has it."""
        expression = f"Promise.resolve({script}).then(JSON.stringify)"
        target = {"context": self.context}
        answer = self.ask("script.evaluate", expression=expression, target=target, awaitPromise=True)
        assert answer["type"] == "success", answer
        return json.loads(answer["result"].get("value", "null"))

    def until(self, script, seconds=60):
        """Wait until an expression is true, and return it."""
        end = time.monotonic() + seconds
        while not (found := self.see(script)):
            assert time.monotonic() < end, f"never: {script}; {self.errors}"
            time.sleep(0.1)
        return found

    def press(self, *keys):
        """Press keys, as BiDi names them, where the focus is."""
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": actions}
        self.ask("input.performActions", context=self.context, actions=[source])


@contextmanager
def started(folder):
    """A headless Firefox with a profile of its own in a folder; skips the test where there is none."""
    websocket = pytest.importorskip("websocket")
    program = shutil.which("firefox") or shutil.which("firefox-esr")
    if program is None:
        missing("no Firefox: install it (Debian: `apt install firefox-esr`)")
    lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in PREFERENCES.items())
    (folder / "user.js").write_text("".join(lines), encoding="utf-8")
    command = [program, "--headless", "--no-remote", "--profile", folder, "--remote-debugging-port=0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            heard = (re.search(r"BiDi listening on (ws://\S+)", line) for line in process.stderr)
            address = next(filter(None, heard))[1]
            socket = websocket.create_connection(f"{address}/session", timeout=120, suppress_origin=True)
            yield Firefox(socket)
            socket.close()
        finally:
            process.terminate()
