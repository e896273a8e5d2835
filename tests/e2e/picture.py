"""Draws docs/init-demo.svg, the README's picture, from a real run: `python -m tests.e2e.picture`.

The run is `init --demo` in a pseudo-terminal; nothing is changed in it but the name of the
temporary folder. What stands on the screen is in the picture's description, too, for those who
hear it and for the test that compares it with a run of today.
"""

from __future__ import annotations

import io
import os
import re
import tempfile
from html import escape, unescape
from itertools import groupby
from pathlib import Path

import pyte
from rich.console import Console
from rich.style import Style
from rich.text import Text

from tests.e2e.terminal import PROGRAM, Terminal

PATH = Path(__file__).parents[2] / "docs/init-demo.svg"
COMMAND = ("init", "--demo")
COLUMNS = 88
ROWS = 120
_DESCRIPTION = re.compile(r"<desc>(.*?)</desc>", re.DOTALL)
# What differs from run to run: free ports, identifiers, the time of day, how long it took.
_CHANCE = re.compile(
    r"demo-\w+|:\d{4,5}\b|(?<=port )\d+|\b\w{32}\b|(?<=key=)[\w-]+|\d\d:\d\d:\d\d|\d+ ms"
)
# rich leaves it standing when a line of another thread comes just while it is taken away.
_SPINNER = re.compile(r"[\u2800-\u28ff] [^✓\n]*")


def screen_of_a_run(folder: Path, columns: int = COLUMNS) -> pyte.Screen:
    """The screen as `init --demo` leaves it, in a home of its own."""
    home = {
        "HOME": str(folder),
        "XDG_STATE_HOME": str(folder / "state"),
        "TMPDIR": str(folder),
        "PATH": f"{Path(PROGRAM).parent}{os.pathsep}{os.environ['PATH']}",
    }
    terminal = Terminal(*COMMAND, cwd=folder, columns=columns, rows=ROWS, environ=home, color=True)
    assert terminal.end(60) == 0, terminal.text
    screen = pyte.Screen(columns, ROWS)
    pyte.Stream(screen).feed(terminal.raw.replace(str(folder), "/tmp"))
    return screen


def words(text: str) -> list[str]:
    """What is said, without what is different each time, however it is wrapped and ordered.

    The tunnel tells of its requests while the wizard speaks.
    """
    return sorted(_CHANCE.sub("*", _SPINNER.sub("", text)).split())


def described(picture: str) -> str:
    """What the picture shows, as text."""
    found = _DESCRIPTION.search(picture)
    assert found is not None
    return unescape(found[1])


def text_of(screen: pyte.Screen) -> str:
    """What stands on the screen."""
    return "\n".join(line.rstrip() for line in screen.display).rstrip()


def drawn(screen: pyte.Screen) -> str:
    """The screen as SVG, which asks for no font of another server."""
    console = Console(record=True, width=screen.columns, file=io.StringIO(), force_terminal=True)
    said = text_of(screen)
    for number in range(said.count("\n") + 1):
        console.print(_line(screen, number), no_wrap=True, crop=True)
    svg = console.export_svg(title=f"librechat-auth0 {' '.join(COMMAND)}", unique_id="demo")
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return re.sub(
        r"(<svg [^>]*>)", lambda it: f"{it[1]}\n<desc>{escape(said)}</desc>", svg, count=1
    )


def _line(screen: pyte.Screen, number: int) -> Text:
    cells = [screen.buffer[number][column] for column in range(screen.columns)]
    line = Text()
    for (color, bold), group in groupby(cells, key=lambda cell: (cell.fg, cell.bold)):
        # pyte calls ANSI's third colour brown.
        named = {"default": None, "brown": "yellow"}.get(color, color)
        line.append("".join(cell.data for cell in group), Style(color=named, bold=bold))
    line.rstrip()
    return line


def main() -> None:
    """Run it and draw it."""
    with tempfile.TemporaryDirectory() as folder:
        PATH.write_text(drawn(screen_of_a_run(Path(folder))), "utf-8")


if __name__ == "__main__":
    main()
