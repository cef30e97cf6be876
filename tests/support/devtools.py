"""A real browser that a test drives: key presses, what the page shows, and pictures of it.

Speaks the DevTools protocol over a pair of pipes (`--remote-debugging-pipe`), so it needs Chromium (or
Chrome) in PATH and no package. Guarantees: what the page says on its console, the exceptions it throws and
every address it asks for are kept; waiting has an end. Left out: more than one page.
"""

from __future__ import annotations

import base64
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.browser import FLAGS, find

PATIENCE = 60.0
"""Seconds that anything in the browser may take; a busy machine is slow."""

_BECOME = """import fcntl, os, sys
commands, answers = (fcntl.fcntl(int(one), fcntl.F_DUPFD, 10) for one in sys.argv[1:3])
os.dup2(commands, 3)
os.dup2(answers, 4)
os.execv(sys.argv[3], sys.argv[3:])"""
"""What becomes the browser, which reads commands from descriptor 3 and answers on 4."""

_NAMED = {
    "ArrowRight": ("ArrowRight", 39),
    "ArrowLeft": ("ArrowLeft", 37),
    "Escape": ("Escape", 27),
    "Tab": ("Tab", 9),
}


class Page:
    """One page of a browser; `messages` of its console and `asked` are filled while anything is awaited."""

    def __init__(self, commands: int, answers: int) -> None:
        self._commands, self._answers, self._buffer = commands, answers, b""
        self._number, self._session = 0, ""
        self.messages: list[str] = []
        self.asked: list[str] = []
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol; AssertionError when the browser refuses it."""
        self._number += 1
        call = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            call["sessionId"] = self._session
        os.write(self._commands, json.dumps(call).encode() + b"\0")
        while True:
            told = self._read()
            if told.get("id") == self._number:
                assert "error" not in told, f"{method}: {told['error']}"
                result: dict[str, Any] = told["result"]
                return result
            self._note(told.get("method", ""), told.get("params", {}))

    def _read(self) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while b"\0" not in self._buffer:
            ready, _, _ = select.select([self._answers], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"the browser says nothing for {PATIENCE:.0f} s"
            more = os.read(self._answers, 1 << 16)
            assert more, "the browser ended"
            self._buffer += more
        message, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, event: str, told: dict[str, Any]) -> None:
        if event == "Network.requestWillBeSent":
            self.asked.append(told["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.messages.append(json.dumps(told["exceptionDetails"])[:500])
        elif event == "Log.entryAdded":
            self.messages.append(told["entry"]["text"])
        elif event == "Runtime.consoleAPICalled":
            self.messages.append(json.dumps(told["args"])[:500])
        elif event == "Page.javascriptDialogOpening":
            self.messages.append(f"dialog {told['type']}: {told['message']}")

    def open(self, address: str) -> None:
        self.send("Page.navigate", url=address)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression is on the page."""
        told = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, f"{expression}: {told['exceptionDetails']}"
        return told["result"].get("value")

    def wait(self, expression: str) -> None:
        """Until the expression is true on the page."""
        end = time.monotonic() + PATIENCE
        while not self.value(f"Boolean({expression})"):
            assert time.monotonic() < end, (
                f"never true: {expression}; the page shows: {self.value('document.body.innerText')[:2000]}; "
                f"it says: {self.messages}"
            )
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press and release a key: one sign, or ArrowLeft, ArrowRight, Escape, Tab."""
        code, number = _NAMED.get(key, ("", ord(key[0].upper())))
        text = {} if code else {"text": key}
        event = {"key": key, "code": code, "windowsVirtualKeyCode": number}
        self.send("Input.dispatchKeyEvent", type="keyDown", **event, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    def type(self, text: str) -> None:
        self.send("Input.insertText", text=text)

    def click(self, selector: str) -> None:
        """Click in the middle of what a CSS selector finds, with the mouse."""
        box = self.value(
            f"(box => [box.x + box.width / 2, box.y + box.height / 2])"
            f"(document.querySelector({json.dumps(selector)}).getBoundingClientRect())"
        )
        where = {"x": box[0], "y": box[1], "button": "left", "clickCount": 1}
        self.send("Input.dispatchMouseEvent", type="mousePressed", **where)
        self.send("Input.dispatchMouseEvent", type="mouseReleased", **where)

    def look(self, width: int, height: int, *, dark: bool = False) -> None:
        """Show the page at this size, light or dark."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def picture(self, path: Path) -> None:
        """Write a PNG of what is seen."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"]))


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A page in a headless browser, whose profile is in `folder`."""
    browser = find()
    assert browser is not None
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    flags = [*FLAGS, f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe"]
    process = subprocess.Popen(
        [sys.executable, "-c", _BECOME, str(commands), str(answers), browser, *flags],
        pass_fds=(commands, answers),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(commands)
    os.close(answers)
    try:
        yield Page(to_browser, from_browser)
    finally:
        os.close(to_browser)  # the browser ends by itself when its pipe does
        os.close(from_browser)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
