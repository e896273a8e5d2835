"""Everything outside a command: passed in by the command line, replaced by the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.clock import Clock
from wizard.desktop import Desktop
from wizard.http import HttpClient
from wizard.loopback import Listen, listeners
from wizard.processes import Processes

if TYPE_CHECKING:
    from wizard.language import Language, Message
    from wizard.ui.console import Console
    from wizard.ui.prompts import Prompter


@dataclass(frozen=True, slots=True)
class Ports:
    """What a command may touch.

    Attributes:
        console: where it tells.
        language: what it speaks, for pages and the like; the console has it too.
        prompter: whom it asks, None where nobody can answer.
        http: the network.
        clock: the time.
        processes: other programs.
        desktop: browser and clipboard.
        environ: environment variables.
        cwd: the folder it was called in.
        state_dir: a private folder that is kept between runs.
        listen: opens a port of this machine.
        last_words: what was written to disk, for a run that ends before it can say so itself.
    """

    console: Console
    language: Language
    prompter: Prompter | None
    http: HttpClient
    clock: Clock
    processes: Processes
    desktop: Desktop
    environ: Mapping[str, str]
    cwd: Path
    state_dir: Path
    listen: Listen = listeners
    last_words: list[Message] = field(default_factory=list)
