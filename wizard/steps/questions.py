"""The questions of the setup: one row for each, with its option, its prompt and its checks."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from wizard.findings import Outcome
from wizard.known import Known, refuse_repeated
from wizard.language import Message, joined
from wizard.ports import Ports
from wizard.settings import (
    parse_audiences,
    parse_client_id,
    parse_client_secret,
    parse_domain,
    parse_public_url,
)
from wizard.steps.options import InitOptions
from wizard.steps.values import INVALID_VALUE, MISSING_OPTION, option, read_secret

if TYPE_CHECKING:
    from wizard.auth0.live_checks import CheckResult

SUGGESTED_AUDIENCE = "https://api.librechat.ai"


class Question(NamedTuple):
    """One value of the setup.

    Attributes:
        name: its field of `Known`.
        option: its option on the command line.
        given: returns the option's text, "" where it was not given.
        hint: where to find the value.
        parse: parses an answer, given the values known before it; raises `InvalidValue`.
        suggestion: the default where nothing is known.
        is_needed: whether a run with these options needs it.
        is_hidden: whether the terminal hides the answer.
        checks: the live checks that prove it; the first is its own.
    """

    name: str
    option: str
    given: Callable[[InitOptions], str]
    label: str
    hint: str
    parse: Callable[[str, Known], object]
    suggestion: str = ""
    is_needed: Callable[[InitOptions], bool] = lambda _: True
    is_hidden: bool = False
    checks: tuple[str, ...] = ()

    def value(self, text: str, known: Known) -> object:
        """Return the value of an answer.

        Raises:
            InvalidValue: it is invalid, or another field's.
        """
        value = self.parse(text, known)
        refuse_repeated(self.name, value, known)
        return value


def _secret(options: InitOptions) -> str:
    if options.client_secret_file:
        return read_secret(options.client_secret_file)
    return options.client_secret


_DOMAIN_HINT = Message("{application} → Settings → Basic Information → Domain.")
DOMAIN = Question(
    "domain",
    "--domain",
    lambda options: options.domain,
    Message("Domain"),
    _DOMAIN_HINT.filled(application=Message("Your application")),
    lambda text, _: parse_domain(text),
    checks=("discovery",),
)
DOMAIN_OF_ANY_APPLICATION = DOMAIN._replace(
    hint=_DOMAIN_HINT.filled(application=Message("Any application"))
)
CLIENT_ID = Question(
    "client_id",
    "--client-id",
    lambda options: options.client_id,
    Message("Client ID"),
    Message("Below the domain: 32 letters and digits."),
    lambda text, _: parse_client_id(text),
    checks=("client-id",),
)
CLIENT_SECRET = Question(
    "client_secret",
    Message("--client-secret-file (or AUTH0_CLIENT_SECRET)"),
    _secret,
    Message("Client Secret (hidden)"),
    Message("Below the Client ID. Use its copy button: the dots are not the secret."),
    lambda text, _: parse_client_secret(text),
    is_needed=lambda options: not options.public_client,
    is_hidden=True,
    checks=("client-secret",),
)
AUDIENCES = Question(
    "audiences",
    "--audience",
    lambda options: options.audience,
    Message("API Identifier"),
    Message("Applications → APIs → your API → Settings → Identifier."),
    lambda text, known: parse_audiences(text, domain=known.domain or ""),
    SUGGESTED_AUDIENCE,
    is_needed=lambda options: options.reuse_tokens,
    checks=("audience",),
)
PUBLIC_URL = Question(
    "public_url",
    "--public-url",
    lambda options: options.public_url,
    Message("Public URL of LibreChat"),
    Message("LibreChat's URL for browsers; librechat-auth0 init opens a tunnel with one."),
    lambda text, _: parse_public_url(text),
)


def needed(options: InitOptions) -> Iterator[Question]:
    """Yield the needed questions in the dashboard's order; each is judged by those before it."""
    for question in (DOMAIN, CLIENT_ID, CLIENT_SECRET, AUDIENCES):
        if question.is_needed(options):
            yield question


def parsed(question: Question, text: str, known: Known) -> Known:
    """Return the known values, with that of an option."""
    value = option(question.option, text, lambda it: question.value(it, known))
    return known.having(question.name, value)


def given_values(options: InitOptions) -> Known:
    """Return the values of the options."""
    if options.verify and options.offline:
        raise INVALID_VALUE.failure(
            "--verify signs in at the tenant; --offline does not contact it.",
            fix=Message("Remove one of the two options."),
        )
    if options.output and not options.format:
        raise INVALID_VALUE.failure(
            "--output is for the values of --format.",
            fix=Message("Add --format, or remove --output."),
        )
    known = Known()
    for question in needed(options):
        if text := question.given(options):
            known = parsed(question, text, known)
    return known


def require_everything(options: InitOptions, known: Known, offered: Known) -> None:
    """Refuse a run without a terminal that would have to ask."""
    values = known.or_else(same_client(known, offered))
    missing = [each.option for each in needed(options) if not values.has(each.name)]
    if not (options.yes or options.dry_run):
        missing.append(Message("--yes (or --dry-run)"))
    if missing:
        names = joined(", ", missing)
        raise MISSING_OPTION.failure(
            "Missing: {options}.",
            options=names,
            fix=Message("Add what is missing; librechat-auth0 init --help lists all options."),
        )


def ask(question: Question, known: Known, offered: Known, ports: Ports) -> Known:
    """Return the known values, with the answer to the question, or the default if unattended."""
    if known.has(question.name):
        return known
    kept = same_client(known, offered).value(question.name)
    if ports.prompter is None:
        return parsed(question, _text(kept), known)

    def parse(text: str) -> object:
        return kept if question.is_hidden and kept and not text else question.value(text, known)

    ports.console.hint(question.hint)
    default = _text(kept) or question.suggestion
    if question.is_hidden:
        default = ""
        if kept:
            ports.console.hint("Press Enter to keep the current one.")
    answer = ports.prompter.text(
        question.label, parse=parse, default=default, is_hidden=question.is_hidden
    )
    return known.having(question.name, answer)


def same_client(known: Known, offered: Known) -> Known:
    """Return the defaults, without the secret of another client."""
    if known.client_id in {None, offered.client_id}:
        return offered
    return offered._replace(client_secret=None)


def _text(value: object) -> str:
    """Return the value as a user types it."""
    return ",".join(value) if isinstance(value, tuple) else str(value or "")


def ask_and_check(
    question: Question, known: Known, offered: Known, ports: Ports, *, reuse_tokens: bool
) -> Known:
    """Return the known values with the answer; ask again while the tenant rejects it.

    The same answer twice is kept: for a tenant that does not answer or is not ready yet.
    """
    rejected: object = None
    while True:
        answered = ask(question, known, offered, ports)
        value = answered.value(question.name)
        results = _check(question.checks, answered, ports, reuse_tokens=reuse_tokens)
        if results[0].outcome is not Outcome.FAILED or value == rejected:
            if results[0].outcome is not Outcome.SKIPPED:
                ports.console.outcome(results[0].outcome, results[0].title, results[0].detail)
            return answered
        ports.console.finding(*results[0].findings)
        rejected, offered = value, answered.or_else(offered)
        if not question.is_hidden:
            ports.console.hint("Correct it, or press Enter to check it again and keep it.")


def passes(
    checks: Sequence[str],
    known: Known,
    ports: Ports,
    *,
    reuse_tokens: bool,
    shows_failure: bool = True,
) -> bool:
    """Show what the tenant says to these checks; return whether none of them fails.

    Where failures are shown, one that waits for another repair passes.
    """
    results = _check(checks, known, ports, reuse_tokens=reuse_tokens)
    passing = {Outcome.PROVED, Outcome.LIKELY, *([Outcome.SKIPPED] if shows_failure else [])}
    passed = all(each.outcome in passing for each in results)
    if passed or shows_failure:
        for result in results:
            ports.console.outcome(result.outcome, result.title, result.detail)
    return passed


def _check(
    checks: Sequence[str], known: Known, ports: Ports, *, reuse_tokens: bool
) -> "list[CheckResult]":
    from wizard.auth0.error_table import Check
    from wizard.auth0.live_checks import check_tenant

    settings = known._replace(client_id=known.client_id or "").settings(reuse_tokens=reuse_tokens)
    wanted = [Check(name) for name in checks]
    with ports.console.working("Checking {host}", host=settings.domain):
        report = check_tenant(settings, ports.http, ports.clock, wanted)
    return [report[check] for check in wanted]
