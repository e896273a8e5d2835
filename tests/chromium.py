"""Drive a real headless Chromium over the DevTools protocol."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

# For a machine without internet, perhaps as root in a container; see Chromium's list of switches.
SWITCHES = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--ignore-certificate-errors",
    "--remote-debugging-port=0",
)
PATIENCE = 60.0
# The first start on a busy machine reads 300 MB from disk.
START_PATIENCE = 120.0


class CallError(Exception):
    """The browser's answer to a call that failed."""


@dataclass
class Tab:
    """One page; `console` holds its log, including policy violations."""

    socket: ClientConnection
    console: list[str] = field(default_factory=list)
    requested: list[str] = field(default_factory=list)
    _last: int = 0

    def call(self, method: str, **parameters: object) -> dict[str, Any]:
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(timeout=PATIENCE))
            if message.get("id") == self._last:
                if "error" in message:
                    raise CallError(message["error"])
                result: dict[str, Any] = message["result"]
                return result
            self._note(message)

    def _note(self, message: dict[str, Any]) -> None:
        parameters = message.get("params", {})
        if message.get("method") == "Log.entryAdded":
            self.console.append(parameters["entry"]["text"])
        if message.get("method") == "Network.requestWillBeSent":
            self.requested.append(parameters["request"]["url"])

    def open(self, url: str, until: str) -> None:
        """Go to the URL and wait until the expression is true."""
        self.call("Page.navigate", url=url)
        self.wait(until)

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    def wait(self, expression: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            with suppress(CallError):  # while the tab goes from one page to another
                if self.evaluate(f"Boolean({expression})"):
                    return
            time.sleep(0.05)
        raise AssertionError(self.evaluate("document.documentElement.outerHTML"))

    def submit(self, **fields: str) -> None:
        """Fill in the form and press its first button."""
        for name, value in fields.items():
            self.evaluate(f"document.querySelector('[name={name}]').value = {json.dumps(value)}")
        self.evaluate("document.querySelector('form button, form [type=submit]').click()")

    def look(self, *, width: int, dark: bool) -> None:
        """Lay out the page for this screen width and colour scheme."""
        scheme = "dark" if dark else "light"
        self.call(
            "Emulation.setEmulatedMedia",
            features=[{"name": "prefers-color-scheme", "value": scheme}],
        )
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=800,
            deviceScaleFactor=1,
            mobile=width < 600,
        )

    def screenshot(self, path: Path) -> None:
        """Save the whole page as a PNG file."""
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(picture["data"]))


@contextmanager
def chromium(folder: Path) -> Iterator[Tab]:
    """Run a browser with an empty profile in the folder."""
    program = shutil.which("chromium")
    assert program is not None
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "stderr.txt"
    with log.open("wb") as errors:
        process = subprocess.Popen(
            [program, *SWITCHES, f"--user-data-dir={folder}", "about:blank"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
    try:
        with connect(_page_socket(folder, process, log), max_size=None, proxy=None) as socket:
            tab = Tab(socket)
            for domain in ("Page", "Log", "Network"):
                tab.call(f"{domain}.enable")
            yield tab
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _page_socket(folder: Path, process: subprocess.Popen[bytes], log: Path) -> str:
    """Wait for the browser's port; return the address of the first page."""
    deadline = time.monotonic() + START_PATIENCE
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        with suppress(OSError, IndexError, StopIteration, ValueError):
            port = (folder / "DevToolsActivePort").read_text().split()[0]
            with opener.open(f"http://127.0.0.1:{port}/json/list", timeout=60) as answer:
                pages = json.load(answer)
            found: str = next(
                page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page"
            )
            return found
        waits = process.poll() is None and time.monotonic() < deadline
        assert waits, f"chromium did not start: {process.poll()}\n{log.read_text()[-3000:]}"
        time.sleep(0.05)
