"""Rules on `librechat.yaml`: users kept from signing in, tokens for MCP servers, no effect."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from wizard.doctor.check import Violation, check, on
from wizard.doctor.subject import Subject
from wizard.language import Message
from wizard.librechat.checkout import text_of
from wizard.librechat.compose.model import scalar
from wizard.librechat.config_file import CONFIG_PATH, FILE_NAME, read_config
from wizard.rules import rule

NOT_MOUNTED = rule("LA505")
_Server = tuple[str, str, str]

_DOMAIN = r"(?:[\w-]+\.)+[\w-]+|localhost"
_MOST_SHOWN = 10
# Placeholders for Auth0's tokens in the settings of an MCP server; the access token has two names.
_PLACEHOLDER = r"\{\{LIBRECHAT_OPENID_(?:ACCESS_|ID_)?TOKEN\}\}"
# Read since 0.8.8-rc4; the file beats the variables.
_DISCOVERY = {
    "OPENID_DISCOVERY_RETRY_ATTEMPTS": "startupAttempts",
    "OPENID_DISCOVERY_RETRY_DELAY_MS": "retryDelayMs",
}


def _hides_button(subject: Subject) -> Iterator[Violation]:
    logins = subject.config.part("registration", "socialLogins")
    if isinstance(logins, list) and "openid" not in logins:
        yield Violation(
            "{file}: registration.socialLogins has {logins}.",
            fix=Message("Add openid to registration.socialLogins in {file}."),
            file=subject.config.named,
            logins=_listed(logins, subject) or Message("none"),
        )


def _listed(values: list[object], subject: Subject) -> str:
    names = ", ".join(filter(None, map(scalar, values[:_MOST_SHOWN])))
    return subject.without_secrets(names)


def _no_domain(subject: Subject) -> Iterator[Violation]:
    domains = subject.config.part("registration", "allowedDomains")
    listed = domains if isinstance(domains, list) else []
    if wrong := [each for each in listed if not re.fullmatch(_DOMAIN, scalar(each))]:
        yield Violation(
            "{file}: registration.allowedDomains has {domains}.",
            file=subject.config.named,
            domains=_listed(wrong, subject) or Message("an empty entry"),
        )


def _discovery_wins(subject: Subject, name: str) -> Violation | None:
    key = _DISCOVERY[name]
    value = scalar(subject.config.part("registration", "openidDiscovery", key))
    if not (value and subject.value(name)) or subject.bare(name) == value:
        return None
    return Violation(
        "{seen}; {file} has {key}: {value}.",
        file=subject.config.named,
        key=key,
        value=subject.without_secrets(value),
    )


def _token_missing(subject: Subject) -> Iterator[Violation]:
    if not subject.reuses_tokens or subject.runs_before("0.8.1"):
        yield from _uses(subject, _servers_with_token(subject), "OPENID_REUSE_TOKENS")


def _token_opaque(subject: Subject) -> Iterator[Violation]:
    if subject.reuses_tokens and not subject.sent_audiences:
        yield from _uses(subject, _servers_with_access_token(subject), "OPENID_AUDIENCE")


def _token_of_other_api(subject: Subject) -> Iterator[Violation]:
    """A server whose URL is not under the identifier: only its owner knows what it accepts."""
    audience = next(iter(subject.sent_audiences), "")
    if not (subject.reuses_tokens and audience):
        return
    for name, _, url in _servers_with_access_token(subject):
        if not url.startswith(audience.rstrip("/")):
            yield Violation(
                "{file}: mcpServers.{name} gets a token for {audience}.",
                variable="OPENID_AUDIENCE",
                file=subject.config.named,
                name=subject.without_secrets(name),
                audience=subject.without_secrets(audience),
            )


def _uses(subject: Subject, servers: Iterable[_Server], variable: str) -> Iterator[Violation]:
    for name, placeholder, _ in servers:
        yield Violation(
            "{file}: mcpServers.{name} uses {placeholder}.",
            variable=variable,
            file=subject.config.named,
            name=subject.without_secrets(name),
            placeholder=placeholder,
        )


def _servers_with_access_token(subject: Subject) -> Iterator[_Server]:
    return (each for each in _servers_with_token(subject) if "ID_TOKEN" not in each[1])


def _servers_with_token(subject: Subject) -> Iterator[_Server]:
    """Yield the name, a placeholder and the URL of each MCP server that gets a token."""
    servers = subject.config.part("mcpServers")
    for name, server in servers.items() if isinstance(servers, Mapping) else ():
        found = {each[0] for text in _texts_of(server) for each in re.finditer(_PLACEHOLDER, text)}
        # The access token is the one that a server can check.
        for placeholder in sorted(found, key=lambda each: "ID_TOKEN" in each)[:1]:
            yield str(name), placeholder, scalar(subject.config.part("mcpServers", name, "url"))


def _texts_of(part: object) -> Iterator[str]:
    if isinstance(part, Mapping):
        part = [*part.values()]
    if isinstance(part, list):
        for each in part:
            yield from _texts_of(each)
    elif isinstance(part, str):
        yield part


def _not_mounted(subject: Subject) -> Iterator[Violation]:
    """The folder's own file is there, and the container sees none in its place."""
    config = subject.config
    if config.path is not None or config.is_remote or config.named != FILE_NAME:
        return
    service = subject.deployment.service
    if service and service.dockerfile:
        dockerfile = subject.path.parent / service.context / service.dockerfile
        if FILE_NAME in text_of(dockerfile):
            return  # the image has it
    own = read_config(subject.path.parent / FILE_NAME, subject.deployment.sources)
    if own.content:
        yield Violation("It mounts nothing at {target}.", target=config.target)


def _not_found(subject: Subject, name: str) -> Violation | None:
    config = subject.config
    if not subject.value(name) or config.is_remote or config.is_there:
        return None
    return Violation("{seen}. There is no file {file}.", file=config.target or config.path)


CHECKS = (
    check("LA504", _hides_button),
    check("LA514", _no_domain),
    on("LA513", CONFIG_PATH, _not_found),
    on("LA515", _DISCOVERY, _discovery_wins),
    check("LA187", _token_missing),
    check("LA249", _token_opaque),
    check("LA250", _token_of_other_api),
    check(NOT_MOUNTED.id, _not_mounted, says_runner=True),
)
