"""What to do by hand in the dashboard: an item at a time, or a checklist to close its doors."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wizard import dashboard
from wizard.auth0.access import Policy, Who
from wizard.auth0.access_action import action_code, action_name, settings_to_paste
from wizard.language import Message
from wizard.librechat.runner import Runner, Way
from wizard.ports import Ports
from wizard.settings import URL_LISTS, urls_of
from wizard.ui.console import Console
from wizard.ui.prompts import Choice, Prompter

DONE, OPEN = "done", "open"
_ITEMS = 3


class Item(NamedTuple):
    """One thing to do in the dashboard: how, by its labels, and the lines to paste, by label."""

    number: int
    title: str
    page: str
    how: Sequence[str]
    lines: Mapping[str, str]

    def show(self, ports: Ports) -> None:
        """Print it, with the link and each line to copy on a line of its own."""
        console = ports.console
        console.say(
            "{number} of {total}. {title}",
            number=self.number,
            total=_ITEMS,
            title=Message.of(self.title),
        )
        for each in self.how:
            console.todo(each)
        console.verbatim(None, [self.page])
        for label, line in self.lines.items():
            console.verbatim(label, [line])


def application_item() -> Item:
    """Return the first item: the application."""
    how = Message("Create Application → Regular Web Application, or open an existing one.")
    return Item(1, Message("The application"), dashboard.page("applications"), [how], {})


def urls_item(public_url: str, client_id: str, domain: str) -> Item:
    """Return the second item: the application's lists of URLs."""
    page, lines = dashboard.application(client_id, domain=domain), url_lines(public_url)
    how = Message("In its Settings → Application URIs, paste each line, then save.")
    return Item(2, Message("Its URLs"), page, [how], lines)


def api_item(audience: str, domain: str) -> Item:
    """Return the third item: the API."""
    how = (
        Message("Create API, with this Identifier (only a name) and RS256."),
        Message("In its Settings, turn on Allow Offline Access."),
        Message("Under Application Access, grant your application User-Delegated Access."),
    )
    lines: Mapping[str, str] = {Message("Identifier"): audience}
    return Item(3, Message("The API"), dashboard.page("apis", domain), how, lines)


def url_lines(public_url: str) -> Mapping[str, str]:
    """Return the lines to paste into the lists of URLs, by the dashboard's labels."""
    return {URL_LISTS[name]: ", ".join(urls) for name, urls in urls_of(public_url).items()}


def walk_through(
    item: Item,
    prompter: Prompter,
    ports: Ports,
    more: Sequence[Choice] = (),
    done: str = Message("Done, continue"),
) -> str:
    """Help with one item; return `DONE`, or the key of one of the further choices.

    The cursor moves from opening the page to each line to copy, and then to the end.
    """
    copied = item.lines if ports.desktop.has_clipboard() else ()
    choices = [
        *([Choice(OPEN, "Open the page in the browser")] if ports.desktop.has_browser() else []),
        *(Choice(label, Message("Copy {label}", label=label)) for label in copied),
        Choice(DONE, done),
        *more,
    ]
    order = [each.key for each in choices]
    at = 0
    while True:
        answer = prompter.select(item.title, choices, default=order[at])
        if answer == OPEN:
            open_page(item.page, ports)
        elif answer in item.lines:
            if ports.desktop.copy(item.lines[answer]):
                ports.console.done("{label} copied.", label=answer)
            else:
                ports.console.warn("No clipboard available. Copy the line above.")
        else:
            return answer
        at = order.index(answer) + 1


def open_page(url: str, ports: Ports) -> None:
    """Open the page, or show its link."""
    if not ports.desktop.open(url):
        ports.console.warn("Could not open a browser. Open this page yourself:")
        ports.console.verbatim(None, [url])


def show_what_to_close(policy: Policy, client_id: str, ports: Ports) -> None:
    """Print the steps on Auth0's dashboard that make the policy hold."""
    console = ports.console
    console.say()
    if policy.who is Who.ANYBODY and not policy.admins:
        console.hint(
            "Auth0 lets everyone sign in: sign-ups and social connections stay as they are."
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
