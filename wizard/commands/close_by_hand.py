"""The checklist for those without a credential: what to switch off, create and paste at Auth0."""

from __future__ import annotations

import json
import shlex

from wizard import dashboard
from wizard.auth0.access import Policy, Who
from wizard.auth0.access_action import action_code, action_name, settings_to_paste
from wizard.language import Message
from wizard.librechat.runner import Runner, Way
from wizard.ports import Ports
from wizard.ui.console import Console


def show_what_to_close(policy: Policy, client_id: str, ports: Ports) -> None:
    """Print the steps on Auth0's dashboard that make the policy hold."""
    console = ports.console
    console.say()
    if policy.who is Who.ANYBODY and not policy.admins:
        console.hint(
            "Auth0 lets everybody sign in: sign-ups and social connections stay as they are."
        )
        return
    heading = Message("In {page}, so that Auth0 lets in nobody else:", page=dashboard.HOME)
    if policy.who not in {Who.PEOPLE, Who.DOMAINS}:
        heading = Message("In {page}, for the administrator's role:", page=dashboard.HOME)
    console.say(heading)
    if policy.who is Who.PEOPLE:
        _show_how_to_invite(policy, console)
    console.todo(
        "Actions → Library → Create Action → Build from scratch: the name {name}, the trigger"
        " Login / Post Login. Paste the code below, then Deploy.",
        name=action_name(client_id),
    )
    console.todo("Actions → Triggers → post-login: drag it into the flow, then Apply.")
    console.hint(
        "Then run librechat-auth0 verify: it sees the role in a real ID token, and only then"
        " writes the variables that require it."
    )
    code = action_code(settings_to_paste(policy, client_id))
    console.verbatim("The Action's code:", code.splitlines())


def _show_how_to_invite(policy: Policy, console: Console) -> None:
    """Print how only these people get an account."""
    console.todo(
        "Authentication → Database → your connection → Settings: turn on Disable Sign Ups."
    )
    console.todo(
        "Applications → your application → Connections: turn off google-oauth2 and every other"
        " social connection."
    )
    console.todo(
        "User Management → Users: create those who have no account: {people}.",
        people=", ".join(policy.people),
    )


def show_first_administrator(address: str, runner: Runner, mongo_uri: str, ports: Ports) -> None:
    """Print how to make the user an administrator without a role at Auth0.

    Source: librechat.ai, docs/features/agents
    """
    filter_, role = json.dumps({"email": address}), json.dumps({"$set": {"role": "ADMIN"}})
    update = ["--quiet", "--eval", f"db.users.updateOne({filter_}, {role})"]
    lines = {
        "npm": shlex.join(["mongosh", _without_password(mongo_uri), *update]),
        "Docker": shlex.join(["docker", "exec", "chat-mongodb", "mongosh", "LibreChat", *update]),
    }
    if runner.way is not Way.UNKNOWN:
        del lines["Docker" if runner.is_npm else "npm"]
    for way, line in lines.items():
        label = Message(
            "To make {address} the administrator without a role at Auth0, after the first sign-in"
            " ({way}):",
            address=address,
            way=way,
        )
        ports.console.verbatim(label, [line])
    ports.console.hint(
        "OPENID_ADMIN_ROLE would demote this administrator at the next sign-in without that role."
    )


def _without_password(mongo_uri: str) -> str:
    """Return the URI, or the name of its variable where it has a password."""
    return "MONGO_URI" if "@" in mongo_uri or not mongo_uri else mongo_uri
