"""Shows the steps in Auth0's dashboard."""

from __future__ import annotations

from collections.abc import Mapping

from wizard import dashboard
from wizard.commands.questions import SUGGESTED_AUDIENCE
from wizard.language import Message
from wizard.ports import Ports
from wizard.settings import URL_LISTS, urls_of
from wizard.ui.prompts import Choice


def show_dashboard_steps(
    public_url: str, ports: Ports, *, reuse_tokens: bool, offer_to_do_it: bool
) -> bool:
    """Show the steps and the lines to paste; return whether the wizard must do them instead."""
    console = ports.console
    lines = {URL_LISTS[name]: ", ".join(urls) for name, urls in urls_of(public_url).items()}
    if ports.prompter is None:
        console.say("Add these URLs to your Auth0 application:")
        _show_lines(lines, ports)
        return False
    console.say(Message("In {page} → Applications → Applications:", page=dashboard.HOME))
    console.todo("Create Application → Regular Web Application, or open an existing one.")
    console.todo("In its Settings → Application URIs, paste:")
    _show_lines(lines, ports)
    if reuse_tokens:
        console.todo("Advanced Settings → Grant Types: Authorization Code and Refresh Token.")
        console.say(Message("In {page} → Applications → APIs:", page=dashboard.HOME))
        console.todo(
            Message(
                "Create API, for example with Identifier {audience} (only a name) and RS256."
                " In its Settings, turn on Allow Offline Access. Under Application Access, grant"
                " your application User-Delegated Access.",
                audience=SUGGESTED_AUDIENCE,
            )
        )
    choices = [
        Choice("go", "Done, continue"),
        *((Choice("do", "Set up Auth0 for me"),) if offer_to_do_it else ()),
        *(Choice(label, Message("Copy {label}", label=label)) for label in lines),
        Choice("open", "Open the dashboard in the browser"),
    ]
    while (answer := ports.prompter.select("Ready?", choices, default="go")) != "go":
        if answer == "do":
            return True
        if answer == "open":
            if not ports.desktop.open(dashboard.APPLICATIONS):
                console.warn(
                    Message(
                        "Could not open a browser. Open {page} yourself.",
                        page=dashboard.APPLICATIONS,
                    )
                )
        elif ports.desktop.copy(lines[answer]):
            console.done(Message("{label} copied.", label=answer))
        else:
            console.warn("No clipboard available. Copy the line above.")
    return False


def _show_lines(lines: Mapping[str, str], ports: Ports) -> None:
    for label, line in lines.items():
        ports.console.verbatim(label, [line])
