"""The dependencies of a command, which tests replace."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wizard.system.loopback import Listen, listeners
from wizard.system.surroundings import Resolves, resolves

if TYPE_CHECKING:
    from wizard.http import HttpClient
    from wizard.language import Language, Message
    from wizard.system.clock import Clock
    from wizard.system.desktop import Desktop
    from wizard.system.processes import Processes
    from wizard.tunnels import Offer
    from wizard.ui.console import Console
    from wizard.ui.prompts import Prompter


class Ports(NamedTuple):
    """The dependencies of a command."""

    console: "Console"
    language: "Language"
    prompter: "Prompter | None"  # None without a terminal
    http: "HttpClient"
    clock: "Clock"
    processes: "Processes"
    desktop: "Desktop"
    environ: Mapping[str, str]
    cwd: Path
    state_dir: Path  # private, and kept between runs
    # What the tunnels can do here, from when their programs were asked until one is opened.
    offers: "dict[str, Offer]"
    # What was written to disk, for a run that ends before it can report it.
    last_words: "list[Message]"
    # What was changed outside LibreChat's folder, for a run that is interrupted.
    changed: "list[Message]"
    listen: Listen = listeners
    resolves: Resolves = resolves
