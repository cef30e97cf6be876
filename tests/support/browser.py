"""Looks at a page in a real browser: what each chart shows there, and what the page asks for.

Guarantees: the page is served as it is, with its own policy, inside a frame of the width asked for; what is
seen is measured from outside the frame, in its layout and in the pixels of a screenshot. Needs Chromium (or
Chrome) in PATH. Left out: what charts ought to say.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
HEIGHT = 12000
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run", "--hide-scrollbars",
    "--disable-dev-shm-usage", "--enable-logging=stderr",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip

LOOK = """<!DOCTYPE html><title>look</title><link rel="icon" href="data:,"><style>body{margin:0}</style>
<iframe id=page src="/page.html" style="border:0;width:%dpx;height:%dpx"></iframe><pre id=found hidden></pre>
<script>
onload = () => {
  const page = document.getElementById("page").contentDocument, width = page.documentElement.clientWidth;
  const shown = one => one.getBoundingClientRect().width > 0;
  const charts = [...page.querySelectorAll("figure[data-chart]")].map(figure => {
    const drawn = [...figure.querySelectorAll("svg")].filter(shown);
    const marks = drawn.flatMap(one => [...one.querySelectorAll("[class*=role-mark] > *")]).filter(one => {
      const box = one.getBBox();
      return box.width + box.height > 0;
    });
    const box = drawn.length ? drawn[0].getBoundingClientRect() : figure.getBoundingClientRect();
    const attributes = drawn.flatMap(one => [one, ...one.querySelectorAll("*")])
      .flatMap(one => [...one.attributes].map(attribute => attribute.value));
    return {name: figure.dataset.chart, drawn: drawn.length, marks: marks.length,
      box: [box.left, box.top, box.width, box.height],
      numbers: figure.querySelectorAll("tbody tr").length,
      caption: figure.querySelector("figcaption").textContent,
      said: drawn.map(one => one.parentNode.getAttribute("aria-label") || "").join(""),
      words: drawn.flatMap(one => [...one.querySelectorAll("text")].map(text => text.textContent)).join(" "),
      broken: attributes.filter(value => /NaN|undefined|Infinity/.test(value)).length};
  });
  const wide = [...page.querySelectorAll("body *")].filter(one => !one.closest(".scroll, svg"))
    .filter(one => one.getBoundingClientRect().right > width + 1).map(one => one.outerHTML.slice(0, 80));
  document.getElementById("found").textContent = JSON.stringify({charts, wide, width,
    scrolls: page.documentElement.scrollWidth, scripts: page.scripts.length,
    height: page.documentElement.scrollHeight, ground: getComputedStyle(page.body).backgroundColor});
};
</script>"""

PIXELS = """<!DOCTYPE html><title>pixels</title><link rel="icon" href="data:,"><img id=shot src="/shot.png">
<pre id=found hidden></pre><script>
onload = () => {
  const shot = document.getElementById("shot"), canvas = document.createElement("canvas");
  canvas.width = shot.naturalWidth; canvas.height = shot.naturalHeight;
  const pen = canvas.getContext("2d"); pen.drawImage(shot, 0, 0);
  const seen = %s.map(([x, y, width, height]) => {
    const data = pen.getImageData(x, y, width, height).data, colours = new Map();
    for (let at = 0; at < data.length; at += 4) {
      const colour = (data[at] << 16) + (data[at + 1] << 8) + data[at + 2];
      colours.set(colour, (colours.get(colour) || 0) + 1);
    }
    return {colours: colours.size, ground: Math.max(...colours.values()) * 4 / data.length};
  });
  document.getElementById("found").textContent = JSON.stringify(seen);
};
</script>"""


def find() -> str | None:
    """The browser's path, if there is one."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


@contextmanager
def _served(pages: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Serve `pages` on loopback; yields the address and the list of the paths asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            kind = "image/png" if self.path.endswith(".png") else "text/html; charset=utf-8"
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *arguments: object) -> None:
            """Requests stand in `asked`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _run(folder: Path, address: str, *flags: str) -> tuple[Any, list[str]]:
    """Open `address`; returns what the page found, and the messages of its console."""
    browser = find()
    assert browser is not None
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, "--dump-dom", address],
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
    )
    found = re.search(r'<pre id="found"[^>]*>(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"no page: {done.stderr[-2000:]}"
    assert found[1], f"the page did not load: {done.stderr[-2000:]}"
    return json.loads(html.unescape(found[1])), [
        line for line in done.stderr.splitlines() if "CONSOLE" in line
    ]


def look(page: str, width: int, folder: Path, shot: Path | None = None) -> dict[str, Any]:
    """What a browser shows of `page` at `width` pixels; `folder` is for its profile and the screenshot.

    {charts: [{name, drawn, marks, box, numbers, caption, said, words, broken, colours, ground}], wide:
    elements wider than the page, width, scrolls, scripts, height, asked: paths asked for, console: messages}.
    """
    picture = shot or folder / f"shot-{width}.png"
    pages = {"/page.html": page.encode(), "/look.html": (LOOK % (width, HEIGHT)).encode()}
    with _served(pages) as (address, asked):
        seen, console = _run(
            folder, f"{address}/look.html", f"--window-size={width},{HEIGHT}", f"--screenshot={picture}"
        )
        boxes = [[int(number) for number in one["box"]] for one in seen["charts"]]
        requested = list(asked)
        pages |= {"/shot.png": picture.read_bytes(), "/pixels.html": (PIXELS % json.dumps(boxes)).encode()}
        pixels, _ = _run(folder, f"{address}/pixels.html")
    for one, found in zip(seen["charts"], pixels, strict=True):
        one |= found
    return {**seen, "asked": requested, "console": console}


def faults(seen: dict[str, Any]) -> list[str]:
    """What is wrong with a page, a sentence each; empty where all is as it should be."""
    wrong = []
    for one in seen["charts"]:
        checks = {
            "is not drawn once": one["drawn"] != 1,
            "has no marks": not one["marks"],
            "has numbers that are none": one["broken"] > 0,
            "is blank": one["colours"] < 8 or one["ground"] > 0.985,
            "is outside the page": one["box"][0] < 0 or one["box"][0] + one["box"][2] > seen["width"] + 1,
            "says nothing in its place": len(one["said"]) < 10,
            "has no numbers beside it": not one["numbers"],
            "has no n in its caption": "n = " not in one["caption"],
            "shows an error": bool(re.search(r"\b(NaN|undefined|Error|null)\b", one["words"])),
        }
        wrong += [f"chart {one['name']} {what}" for what, holds in checks.items() if holds]
    if seen["scrolls"] > seen["width"] or seen["wide"]:
        wrong.append(f"the page is wider than {seen['width']}: {seen['scrolls']}, {seen['wide'][:5]}")
    if seen["height"] > HEIGHT:
        wrong.append(f"the page is higher than the screenshot: {seen['height']}")
    elsewhere = [path for path in seen["asked"] if path not in ("/look.html", "/page.html")]
    wrong += [f"the page asked for {path}" for path in elsewhere]
    wrong += [f"the console says {line}" for line in seen["console"]]
    if seen["scripts"]:
        wrong.append(f"the page holds {seen['scripts']} scripts")
    return wrong
