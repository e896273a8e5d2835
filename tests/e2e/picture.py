"""Draw docs/init-demo.svg, the README's picture, from a real run: `python -m tests.e2e.picture`.

The run is `init --demo` in a pseudo-terminal, with the sign-in in Chromium. The picture scrolls
through the terminal once and ends with the result page in the browser. Its description has the
text of both, for screen readers and for the test that compares it with a current run.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import tempfile
from html import escape, unescape
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pyte

from tests.chromium import chromium
from tests.e2e.terminal import PROGRAM, Terminal
from tests.tunnels.conftest import until

PATH = Path(__file__).parents[2] / "docs/init-demo.svg"
COMMAND = ("init", "--demo")
COLUMNS = 88
ROWS = 120
_DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)
# What differs between runs: free ports, identifiers, times and durations.
_CHANCE = re.compile(
    r"demo-\w+|:\d{4,5}\b|(?<=port )\d+|\b\w{32}\b|(?<=key=)[\w-]+|\d\d:\d\d:\d\d|\d+ ms"
)
# rich leaves a spinner on the screen if another thread prints while it is removed.
_SPINNER = re.compile(r"[\u2800-\u28ff] [^✓\n]*")

# Sizes in units of the viewBox.
_WIDTH, _HEIGHT = 800, 680
_BAR, _LINE, _MARGIN = 36, 18, 16
_PAGE_WIDTH = 704
_SHOWN_ROWS = (_HEIGHT - _BAR) // _LINE
_SECONDS_A_STOP = 1.6
_SECONDS_OF_SCROLLING = 0.4
_COLORS = {"green": "#8ec07c", "red": "#fb6f5f", "brown": "#e5b567", "cyan": "#7fc8d4"}


class Run(NamedTuple):
    """What a user saw: the terminal, and the browser's last page as text and as PNG."""

    screen: pyte.Screen
    url: str
    page: str
    png: bytes

    @property
    def text(self) -> str:
        """Return the text of the terminal and of the page."""
        return f"{text_of(self.screen)}\n\nIn the browser:\n\n{self.page}"


def play(folder: Path, columns: int = COLUMNS) -> Run:
    """Run `init --demo` with its own home, and sign in with Chromium."""
    link, opener = folder / "link", folder / "browser"
    quoted = shlex.quote(str(link))
    opener.write_text(f'#!/bin/sh\nprintf %s "$1" > {quoted}.new && mv {quoted}.new {quoted}\n')
    opener.chmod(0o755)
    home = {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "TMPDIR": str(folder),
        "PATH": f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}",
        "BROWSER": str(opener),
    }
    with (
        Terminal(
            *COMMAND, cwd=folder, columns=columns, rows=ROWS, environ=home, color=True
        ) as terminal,
        chromium(folder / "profile") as tab,
    ):
        terminal.answer("Sign in with your own browser?", None)
        terminal.until("Opening the sign-in")
        assert until(link.exists)
        tab.look(width=_PAGE_WIDTH, dark=False)
        tab.call("Emulation.setScrollbarsHidden", hidden=True)
        tab.open(link.read_text(), "document.querySelector('[name=password]')")
        tab.submit()
        tab.wait("document.querySelector('[value=accept]')")
        tab.submit()
        tab.wait("document.querySelector('.results')")
        url = tab.evaluate("location.origin + location.pathname")
        page = tab.evaluate("document.querySelector('main').innerText")
        # The claims below the results are collapsed.
        end = tab.evaluate("document.querySelector('.results').getBoundingClientRect().bottom")
        clip = {"x": 0, "y": 0, "width": _PAGE_WIDTH, "height": int(end) + 17, "scale": 1.5}
        png = tab.call("Page.captureScreenshot", format="png", clip=clip)["data"]
        assert terminal.end(60) == 0, terminal.text
    screen = pyte.Screen(columns, ROWS)
    pyte.Stream(screen).feed(terminal.raw.replace(str(folder), "/tmp"))
    return Run(screen, url, page, base64.b64decode(png))


def words(text: str) -> list[str]:
    """Return the words that are the same in each run, whatever their wrapping and order.

    The tunnel prints its requests while the wizard prints its results.
    """
    return sorted(_CHANCE.sub("*", _SPINNER.sub("", text)).split())


def described(picture: str) -> str:
    """Return what the picture shows, as text."""
    found = _DESCRIPTION.search(picture)
    assert found is not None
    return unescape(found[1])


def text_of(screen: pyte.Screen) -> str:
    """Return the text on the screen."""
    return "\n".join(line.rstrip() for line in screen.display).rstrip()


def drawn(shown: Run) -> str:
    """Return the run as SVG, without fonts or images of another server."""
    count = text_of(shown.screen).count("\n") + 1
    lines = "\n".join(_line(shown.screen, number) for number in range(count))
    stops = _stops(text_of(shown.screen))
    seconds = len(stops) * (_SECONDS_A_STOP + _SECONDS_OF_SCROLLING)
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">
<desc>{escape(shown.text)}</desc>
<style>
text {{ font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace;
  white-space: pre; fill: #d8dce2 }}
.bold {{ font-weight: 700 }} .bold:not([fill]) {{ fill: #fff }}
.bar {{ font-family: system-ui, "Segoe UI", sans-serif; text-anchor: middle }}
#lines {{ transform: translateY({-stops[-1] * _LINE}px) }}
@media (prefers-reduced-motion: no-preference) {{
  #lines {{ animation: scroll {seconds:.1f}s both }}
  #browser {{ animation: open .6s {seconds:.1f}s both }}
}}
@keyframes scroll {{ {_keyframes(stops)} }}
@keyframes open {{ from {{ opacity: 0; transform: translateY(2rem) }} to {{ opacity: 1 }} }}
</style>
<clipPath id="rows"><rect y="{_BAR}" width="{_WIDTH}" height="{_HEIGHT - _BAR - 8}"/></clipPath>
{_window(0, 0, _WIDTH, _HEIGHT, "#24292f", f"librechat-auth0 {' '.join(COMMAND)}", "#d8dce2")}
<g clip-path="url(#rows)"><g id="lines">
{lines}
</g></g>
{_browser(shown)}
</svg>
"""


def _browser(shown: Run) -> str:
    """Return the window with the result page, over the end of the terminal."""
    page_width, page_height = (int.from_bytes(shown.png[at : at + 4], "big") for at in (16, 20))
    height = _HEIGHT - 40
    width = page_width * (height - _BAR) // page_height
    x, y = _WIDTH - width - 20, 24
    data = base64.b64encode(shown.png).decode()
    return f"""<g id="browser">
{_window(x, y, width, height, "#dfe3e8", shown.url, "#24292f")}
<clipPath id="page">
<rect x="{x + 1}" y="{y + 1}" width="{width - 2}" height="{height - 2}" rx="7"/>
</clipPath>
<g clip-path="url(#page)">
<image x="{x + 1}" y="{y + _BAR}" width="{width - 2}" height="{height - _BAR - 1}"
 preserveAspectRatio="xMidYMin slice" href="data:image/png;base64,{data}"/>
</g></g>"""


def _window(x: int, y: int, width: int, height: int, ground: str, title: str, ink: str) -> str:
    buttons = "".join(
        f'<circle cx="{x + 20 + 20 * index}" cy="{y + _BAR // 2}" r="6" fill="{color}"/>'
        for index, color in enumerate(("#ff5f57", "#febc2e", "#28c840"))
    )
    return (
        f'<rect x="{x + 0.5}" y="{y + 0.5}" width="{width - 1}" height="{height - 1}" rx="8"'
        f' fill="{ground}" stroke="#8b949e"/>{buttons}'
        f'<text class="bar" x="{x + width // 2}" y="{y + _BAR // 2 + 5}" style="fill: {ink}">'
        f"{escape(title)}</text>"
    )


def _stops(text: str) -> list[int]:
    """Return the rows that scroll to the top, one after another: each step, then the end."""
    lines = text.split("\n")
    last = max(0, len(lines) - _SHOWN_ROWS + 2)
    steps = [row for row, line in enumerate(lines) if re.match(r"Step \d", line) and row < last]
    reached = [0]
    for row in [*steps, last]:
        # A step that fits on the current screen needs no scrolling.
        if row - reached[-1] >= _SHOWN_ROWS // 3 or row == last:
            reached.append(row)
    return reached


def _keyframes(stops: list[int]) -> str:
    """Return the keyframes that rest at each stop."""
    share = 100 / len(stops)
    rest = share * _SECONDS_A_STOP / (_SECONDS_A_STOP + _SECONDS_OF_SCROLLING)
    frames = [
        f"{index * share:.1f}%, {index * share + rest:.1f}%"
        f" {{ transform: translateY({-row * _LINE}px) }}"
        for index, row in enumerate(stops)
    ]
    return " ".join([*frames, f"100% {{ transform: translateY({-stops[-1] * _LINE}px) }}"])


def _line(screen: pyte.Screen, number: int) -> str:
    cells = [screen.buffer[number][column] for column in range(screen.columns)]
    spans = []
    for (color, bold), group in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        style = f' fill="{_COLORS[color]}"' if color != "default" else ""
        css = ' class="bold"' if bold else ""
        spans.append(f"<tspan{style}{css}>{escape(''.join(it.data for it in group))}</tspan>")
    y = _BAR + _LINE * (number + 1)
    return f'<text x="{_MARGIN}" y="{y}">{"".join(spans).rstrip()}</text>'


def main() -> None:
    """Run it and draw it."""
    with tempfile.TemporaryDirectory() as folder:
        PATH.write_text(drawn(play(Path(folder))), "utf-8")


if __name__ == "__main__":
    main()
