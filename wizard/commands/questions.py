"""Asks for what Auth0's dashboard shows, and tells where it stands there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wizard.auth0 import dashboard
from wizard.commands.answers import Defaults, option
from wizard.language import Message, sentences
from wizard.ports import Ports
from wizard.settings import (
    Auth0Settings,
    SetupSettings,
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
)
from wizard.ui.prompts import Choice

SUGGESTED_AUDIENCE = "https://api.librechat.ai"
YOUR_APPLICATION = Message("Your application")

Keep = Callable[[str, str], None]


def show_dashboard_steps(settings: SetupSettings, ports: Ports, *, offer_to_do_it: bool) -> bool:
    """What to create in the dashboard, with the exact lines to paste.

    Returns whether the user would rather have the wizard do it, if that is offered.
    """
    console = ports.console
    lines = {
        "Allowed Callback URLs": settings.callback_url,
        "Allowed Logout URLs": ", ".join(settings.logout_urls),
        "Allowed Web Origins": ", ".join(settings.web_origins),
    }
    if ports.prompter is None:
        console.say("Your application at Auth0 needs these lines:")
        _show_lines(lines, ports)
        return False
    console.say(Message("In {page} → Applications → Applications:", page=dashboard.HOME))
    console.todo("Create Application, type Regular Web Application, or open the one you have.")
    console.todo("In its Settings, under Application URIs, paste:")
    _show_lines(lines, ports)
    if settings.reuse_tokens:
        console.todo("Advanced Settings → Grant Types: Authorization Code and Refresh Token.")
        console.say(Message("In {page} → Applications → APIs:", page=dashboard.HOME))
        console.todo(
            Message(
                "Create API, Identifier for example {audience} (a name, never fetched), RS256."
                " In its Settings, switch on Allow Offline Access. Under Application Access, give"
                " your application User-Delegated Access.",
                audience=SUGGESTED_AUDIENCE,
            )
        )
    choices = [
        Choice("go", "Done, go on"),
        *((Choice("do", "Set Auth0 up for me"),) if offer_to_do_it else ()),
        *(Choice(label, Message("Copy {label}", label=label)) for label in lines),
        Choice("open", "Open the dashboard in the browser"),
    ]
    while (answer := ports.prompter.select("Ready?", choices, default="go")) != "go":
        if answer == "do":
            return True
        if answer == "open":
            if not ports.desktop.open(dashboard.APPLICATIONS):
                console.warn(
                    Message("No browser here; open {page} yourself.", page=dashboard.APPLICATIONS)
                )
        elif ports.desktop.copy(lines[answer]):
            console.done(Message("{label} copied.", label=answer))
        else:
            console.warn("No clipboard here; copy the line from above.")
    return False


def _show_lines(lines: Mapping[str, str], ports: Ports) -> None:
    for label, line in lines.items():
        ports.console.verbatim(label, [line])


class Auth0Questions:
    """Asks for the values that were not given as options.

    Args:
        given: what was; "" and () where nothing was.
        defaults: what to offer.
        reuse_tokens: whether an API identifier is needed.
        public_client: whether there is no secret.
        ports: whom to ask.
        keep: called with the name and text of each answer that may be kept for a next run.
    """

    def __init__(
        self,
        given: Auth0Settings,
        defaults: Defaults,
        *,
        reuse_tokens: bool,
        public_client: bool,
        ports: Ports,
        keep: Keep,
    ) -> None:
        self._given = given
        self._defaults = defaults
        self._reuse_tokens = reuse_tokens
        self._public_client = public_client
        self._ports = ports
        self._keep = keep

    def ask(self) -> Auth0Settings:
        """All four values.

        Raises:
            Failure: a default cannot be right, and nobody can be asked.
        """
        domain = self._domain()
        self._keep("domain", domain)
        client_id = self._client_id()
        self._keep("client_id", client_id)
        secret = self._client_secret(client_id)
        audiences = self._audiences(domain)
        self._keep("audience", ",".join(audiences))
        return Auth0Settings(domain, client_id, secret, audiences)

    def ask_for_tenant(self) -> Auth0Settings:
        """Which tenant and API, for the wizard to set up; ID and secret only if they are known.

        Raises:
            Failure: a default cannot be right, and nobody can be asked.
        """
        domain = self._domain(Message("Any application of the tenant"))
        self._keep("domain", domain)
        client_id = self._given.client_id or self._defaults.client_id
        known = client_id == self._defaults.client_id
        secret = self._given.client_secret or (self._defaults.client_secret if known else "")
        return Auth0Settings(domain, client_id, secret, self._audiences(domain))

    def _domain(self, application: Message = YOUR_APPLICATION) -> str:
        if self._given.domain:
            return self._given.domain
        if self._ports.prompter is None:
            return self._defaults.domain
        self._ports.console.hint(
            Message(
                "{application} → Settings → Basic Information → Domain.", application=application
            )
        )
        return self._ports.prompter.text(
            "Domain", parse=parse_domain, default=self._defaults.domain
        )

    def _client_id(self) -> str:
        if self._given.client_id:
            return self._given.client_id
        if self._ports.prompter is None:
            return self._defaults.client_id
        self._ports.console.hint("The line under it: 32 letters and digits.")
        return self._ports.prompter.text(
            "Client ID", parse=parse_client_id, default=self._defaults.client_id
        )

    def _client_secret(self, client_id: str) -> str:
        if self._given.client_secret or self._public_client:
            return self._given.client_secret
        kept = self._defaults.client_secret if client_id == self._defaults.client_id else ""
        if self._ports.prompter is None:
            return self._defaults.client_secret

        def parse(text: str) -> str:
            return kept if kept and not text else parse_client_secret(text, client_id=client_id)

        self._ports.console.hint(
            sentences(
                "The line under that. Use its copy button: the dots are not the secret.",
                "Enter keeps the one in your .env." if kept else "",
            )
        )
        return self._ports.prompter.secret("Client Secret (hidden)", parse=parse)

    def _audiences(self, domain: str) -> tuple[str, ...]:
        if not self._reuse_tokens:
            return ()

        def parse(text: str) -> tuple[str, ...]:
            return parse_audiences(text, domain=domain)

        if self._given.audiences or self._ports.prompter is None:
            text = ",".join(self._given.audiences) or self._defaults.audience
            return option("--audience", text, parse)
        self._ports.console.hint("Applications → APIs → your API → Settings → Identifier.")
        default = self._defaults.audience or SUGGESTED_AUDIENCE
        return self._ports.prompter.text("API Identifier", parse=parse, default=default)
