"""What a sign-in needs, each claim proved, likely, unproved, failed or not looked at."""

from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple

from wizard.doctor.examine import TUNNEL_RULES, Examination, Part, part_of
from wizard.doctor.subject import Subject, foreign_issuer
from wizard.findings import Finding, Outcome, Severity
from wizard.language import Message

_NOT_ASKED = Message("not checked (--offline)")
_NOT_SENT = Message("not checked: a value is from outside the folder")
_State = tuple[Outcome, str]


class Source(StrEnum):
    """Where a claim's evidence comes from."""

    FILE = "file"
    TENANT = "tenant"
    PUBLIC_URL = "public URL"
    LIBRECHAT = "LibreChat"
    PROCESS = "process"
    SIGN_IN = "sign-in"


class Claim(NamedTuple):
    """One thing that a sign-in needs; `evidence` may be why there is none."""

    check: str
    title: str
    source: Source
    outcome: Outcome
    evidence: str

    @property
    def state(self) -> _State:
        """The outcome and its evidence."""
        return self.outcome, self.evidence

    def as_json(self) -> dict[str, object]:
        """Return the claim as `--json` prints it."""
        return self._asdict()


class _Row(NamedTuple):
    """A claim on LibreChat, and the rules that refute or doubt it."""

    check: str
    title: Message
    source: Source
    state: Callable[[Subject], _State]
    rules: frozenset[str]


def claims_of(
    examination: Examination, signed_in: str = "", *, offline: bool = False
) -> tuple[Claim, ...]:
    """Return every claim, in the order of a sign-in.

    `signed_in` says when and how a sign-in with these settings was proved, "" for never.
    """
    subject, findings = examination.subject, examination.findings
    of_file = [each for each in findings if part_of(each.rule.id) is Part.FILE]
    file = _unless_refuted(of_file, (Outcome.PROVED, str(subject.path)))
    failed = [each for each in findings if each.rule.id in _FAILED_SIGN_INS]
    never = Message("no sign-in was tested with these settings")
    proof = (Outcome.PROVED, signed_in) if signed_in else (Outcome.SKIPPED, never)
    return (
        Claim("env_file", Message("File"), Source.FILE, *file),
        *_tenant(examination, signed_in, offline=offline),
        *(_librechat(row, examination) for row in _ROWS),
        Claim("sign_in", Message("Sign-in"), Source.SIGN_IN, *_unless_refuted(failed, proof)),
    )


def are_proved(claims: Sequence[Claim]) -> bool:
    """Whether a sign-in proved everything and nothing contradicts it since."""
    outcomes = [each.outcome for each in claims]
    against = {Outcome.FAILED, Outcome.UNPROVED}
    return outcomes[-1:] == [Outcome.PROVED] and not against & set(outcomes)


def _tenant(examination: Examination, signed_in: str, *, offline: bool) -> Iterator[Claim]:
    if examination.tenant is None:
        why = Message("not checked until the .env has valid values")
        if offline:
            why = _NOT_ASKED
        elif examination.subject.borrowed:
            why = _NOT_SENT
        elif foreign_issuer(examination.subject):
            why = Message("not checked: an issuer with a path is not Auth0's")
        yield Claim("tenant", Message("Auth0"), Source.TENANT, Outcome.SKIPPED, why)
        return
    for each in examination.tenant.results:
        outcome, detail = each.outcome, each.detail
        if outcome is Outcome.LIKELY and signed_in:
            outcome, detail = Outcome.PROVED, signed_in
        yield Claim(each.check.value, each.title, Source.TENANT, outcome, detail)


def _librechat(row: _Row, examination: Examination) -> Claim:
    own = [each for each in examination.findings if each.rule.id in row.rules]
    state = row.state(examination.subject)
    if own and own[0].severity is Severity.WARNING:
        state = Outcome.UNPROVED, own[0].rule.title
    return Claim(row.check, row.title, row.source, *_unless_refuted(own, state))


def _unless_refuted(findings: Sequence[Finding], state: _State) -> _State:
    errors = [each for each in findings if each.severity is Severity.ERROR]
    return (Outcome.FAILED, errors[0].rule.title) if errors else state


def _public_url(subject: Subject) -> _State:
    if subject.instance is None:
        return Outcome.SKIPPED, _NOT_ASKED
    public = subject.instance.public
    if subject.borrowed:
        return Outcome.SKIPPED, _NOT_SENT
    if public is None:
        address = subject.value("DOMAIN_SERVER") or Message("not set")
        return Outcome.SKIPPED, Message("not used, LibreChat's address is {url}", url=address)
    url = subject.instance.public_url
    if public.config is None:
        return Outcome.LIKELY, Message("{url} is open", url=url)
    return Outcome.PROVED, Message("{url} leads to LibreChat", url=url)


def _running(subject: Subject) -> _State:
    instance = subject.instance
    if instance is None:
        return Outcome.SKIPPED, _NOT_ASKED
    url = instance.local.url.removesuffix("/api/config")
    if instance.local.config is not None:
        return Outcome.PROVED, Message("running at {url}", url=url)
    if instance.config is not None:
        return Outcome.PROVED, Message("running at {url}", url=instance.public_url)
    return Outcome.SKIPPED, Message("not running at {url}", url=url)


def _values(subject: Subject) -> _State:
    if subject.instance is None or subject.instance.config is None:
        return Outcome.SKIPPED, _running(subject)[1]
    if subject.traces.started is not None and not subject.traces.newer:
        return Outcome.PROVED, Message("LibreChat started after the last change of its files")
    return Outcome.LIKELY, Message("what LibreChat shows of its values is right")


def _redirect(subject: Subject) -> _State:
    sign_in = subject.instance.sign_in if subject.instance else None
    if sign_in is None:
        return Outcome.SKIPPED, _running(subject)[1]
    if sign_in.sent:
        return Outcome.PROVED, Message("LibreChat redirects to Auth0 with the values of the .env")
    return Outcome.UNPROVED, Message("LibreChat does not redirect to Auth0")


_FAILED_SIGN_INS = frozenset({"LA550", *(f"LA{number}" for number in range(581, 592))})
_ROWS = (
    _Row("public_url", Message("Public URL"), Source.PUBLIC_URL, _public_url, TUNNEL_RULES),
    _Row(
        "running",
        Message("LibreChat"),
        Source.LIBRECHAT,
        _running,
        frozenset({"LA520", "LA521", "LA535", "LA540", "LA580"}),
    ),
    _Row(
        "values",
        Message("LibreChat's values"),
        Source.PROCESS,
        _values,
        frozenset({"LA522", "LA524", "LA550", "LA594"}),
    ),
    _Row(
        "button",
        Message("Auth0 button"),
        Source.LIBRECHAT,
        _redirect,
        frozenset({"LA522", "LA523", "LA526", "LA529", "LA533"}),
    ),
)
