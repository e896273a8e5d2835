"""Shows how to restart LibreChat, and why that is the way here."""

from __future__ import annotations

from pathlib import Path

from wizard.librechat.restart import OWN_WAY, how_to_restart, what_to_do
from wizard.librechat.runner import Runner
from wizard.ports import Ports


def show_restart(runner: Runner, env_file: Path, ports: Ports) -> None:
    """Show what makes LibreChat read a changed `.env`: a restart, or its start."""
    commands = how_to_restart(runner, env_file)
    if not commands:
        ports.console.hint(OWN_WAY)
        return
    ports.console.hint(runner.because)
    ports.console.verbatim(what_to_do(runner), commands)
