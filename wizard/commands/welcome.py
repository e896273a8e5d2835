"""No command: shows what the program does and which command to run first."""

from __future__ import annotations

from wizard.execution import Result
from wizard.librechat.checkout import find
from wizard.ports import Ports


def run_welcome(ports: Ports) -> Result:
    """Show the command to start with."""
    console = ports.console
    console.say("librechat-auth0 sets up “Continue with Auth0” for LibreChat.")
    console.say()
    if find(ports.cwd).is_librechat:
        console.verbatim("This is a LibreChat folder. Start here:", ["librechat-auth0 init"])
    else:
        lines = ["cd LibreChat", "librechat-auth0 init"]
        console.verbatim("Go to your LibreChat folder and start there:", lines)
    console.say()
    console.verbatim("Try it without an Auth0 account:", ["librechat-auth0 init --demo"])
    console.verbatim("Show all commands:", ["librechat-auth0 --help"])
    return Result()
