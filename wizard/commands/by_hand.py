"""Walks the user through what to do in Auth0's dashboard, one item at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wizard import dashboard
from wizard.language import Message
from wizard.ports import Ports
from wizard.settings import URL_LISTS, urls_of
from wizard.ui.prompts import Choice, Prompter

DONE, OPEN = "done", "open"
_ITEMS = 3


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to do in the dashboard.

    Attributes:
        number: its place in the list.
        title: what to do.
        how: where, by the dashboard's labels.
        page: the page to open.
        lines: what to paste there, by label.
    """

    number: int
    title: str
    how: Sequence[str]
    page: str
    lines: Mapping[str, str] = field(default_factory=dict)

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
    return Item(
        1,
        Message("The application"),
        [Message("Create Application → Regular Web Application, or open an existing one.")],
        dashboard.page("applications"),
    )


def urls_item(public_url: str, client_id: str, domain: str) -> Item:
    """Return the second item: the application's lists of URLs."""
    return Item(
        2,
        Message("Its URLs"),
        [Message("In its Settings → Application URIs, paste each line, then save.")],
        dashboard.application(client_id, domain=domain),
        url_lines(public_url),
    )


def api_item(audience: str, domain: str) -> Item:
    """Return the third item: the API."""
    return Item(
        3,
        Message("The API"),
        [
            Message("Create API, with this Identifier (only a name) and RS256."),
            Message("In its Settings, turn on Allow Offline Access."),
            Message("Under Application Access, grant your application User-Delegated Access."),
        ],
        dashboard.page("apis", domain),
        {Message("Identifier"): audience},
    )


def url_lines(public_url: str) -> Mapping[str, str]:
    """Return the lines to paste into the lists of URLs, by the dashboard's labels."""
    return {URL_LISTS[name]: ", ".join(urls) for name, urls in urls_of(public_url).items()}


def walk_through(item: Item, prompter: Prompter, ports: Ports, more: Sequence[Choice] = ()) -> str:
    """Help with one item; return `DONE`, or the key of one of the further choices.

    The cursor moves from opening the page to each line to copy, and then to the end.
    """
    copied = item.lines if ports.desktop.has_clipboard() else ()
    choices = [
        *([Choice(OPEN, "Open the page in the browser")] if ports.desktop.has_browser() else []),
        *(Choice(label, Message("Copy {label}", label=label)) for label in copied),
        Choice(DONE, "Done, continue"),
        *more,
    ]
    order = [each.key for each in choices]
    at = 0
    while True:
        answer = prompter.select(item.title, choices, default=order[at])
        if answer == OPEN:
            open_page(item.page, ports)
        elif answer in item.lines:
            _copy(answer, item.lines[answer], ports)
        else:
            return answer
        at = order.index(answer) + 1


def open_page(url: str, ports: Ports) -> None:
    """Open the page, or show its link."""
    if not ports.desktop.open(url):
        ports.console.warn("Could not open a browser. Open this page yourself:")
        ports.console.verbatim(None, [url])


def _copy(label: str, line: str, ports: Ports) -> None:
    if ports.desktop.copy(line):
        ports.console.done("{label} copied.", label=label)
    else:
        ports.console.warn("No clipboard available. Copy the line above.")
