"""Rules on `librechat.yaml`: what keeps users from signing in, and a file that has no effect."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wizard.doctor.check import Check
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.compose.model import scalar
from wizard.librechat.config_file import CONFIG_PATH, FILE_NAME, read_config
from wizard.rules import rule

HIDES_BUTTON = rule("LA504")
NOT_MOUNTED = rule("LA505")
NOT_FOUND = rule("LA513")
NO_DOMAIN = rule("LA514")
DISCOVERY_WINS = rule("LA515")

_DOMAIN = re.compile(r"(?:[\w-]+\.)+[\w-]+|localhost")
_MOST_SHOWN = 10
# Read since 0.8.8-rc4; the file beats the variables.
_DISCOVERY = {
    "startupAttempts": "OPENID_DISCOVERY_RETRY_ATTEMPTS",
    "retryDelayMs": "OPENID_DISCOVERY_RETRY_DELAY_MS",
}


def _hides_button(subject: Subject) -> Iterator[Finding]:
    logins = subject.config.part("registration", "socialLogins")
    if isinstance(logins, list) and "openid" not in logins:
        yield HIDES_BUTTON.finding(
            Message(
                "{file}: registration.socialLogins has {logins}.",
                file=subject.config.named,
                logins=_listed(logins, subject) or Message("none"),
            ),
            fix=Message(
                "Add openid to registration.socialLogins in {file}.", file=subject.config.named
            ),
        )


def _listed(values: list[object], subject: Subject) -> str:
    names = ", ".join(filter(None, map(scalar, values[:_MOST_SHOWN])))
    return subject.without_secrets(names)


def _no_domain(subject: Subject) -> Iterator[Finding]:
    domains = subject.config.part("registration", "allowedDomains")
    if not isinstance(domains, list):
        return
    wrong = [each for each in domains if not _DOMAIN.fullmatch(scalar(each))]
    if wrong:
        yield NO_DOMAIN.finding(
            Message(
                "{file}: registration.allowedDomains has {domains}.",
                file=subject.config.named,
                domains=_listed(wrong, subject) or Message("an empty entry"),
            )
        )


def _discovery_wins(subject: Subject) -> Iterator[Finding]:
    for key, name in _DISCOVERY.items():
        value = scalar(subject.config.part("registration", "openidDiscovery", key))
        if value and subject.value(name) and subject.bare(name) != value:
            yield subject.finding(
                DISCOVERY_WINS,
                name,
                Message(
                    "{seen}; {file} has {key}: {value}.",
                    seen=subject.seen(name),
                    file=subject.config.named,
                    key=key,
                    value=subject.without_secrets(value),
                ),
            )


def _not_mounted(subject: Subject) -> Iterator[Finding]:
    """The folder's own file is there, and the container sees none in its place."""
    config = subject.config
    if config.path is not None or config.is_remote or config.named != FILE_NAME:
        return
    own = read_config(subject.path.parent / FILE_NAME, subject.deployment.sources)
    if own.content:
        yield NOT_MOUNTED.finding(
            sentences(
                subject.runner.because,
                Message("It mounts nothing at {target}.", target=config.target),
            )
        )


def _not_found(subject: Subject) -> Iterator[Finding]:
    config = subject.config
    if subject.value(CONFIG_PATH) and not (config.is_remote or config.is_there):
        found = config.target or config.path
        yield subject.finding(
            NOT_FOUND,
            CONFIG_PATH,
            sentences(
                Message("{seen}.", seen=subject.seen(CONFIG_PATH)),
                Message("There is no file {file}.", file=found),
            ),
        )


CHECKS = (
    Check(HIDES_BUTTON, _hides_button),
    Check(NO_DOMAIN, _no_domain),
    Check(NOT_FOUND, _not_found),
    Check(DISCOVERY_WINS, _discovery_wins),
    Check(NOT_MOUNTED, _not_mounted),
)
