"""Rules on Docker Compose and `librechat.yaml`, which can override or hide the `.env`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from wizard.doctor.check import Check
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.access import UNREADABLE_IN_CONTAINER, unreadable
from wizard.librechat.deployment import YAML_FILE, scalar
from wizard.librechat.variables import VARIABLES, Section
from wizard.platforms import command_line
from wizard.rules import rule

BROKEN_DOCUMENT = rule("LA500")
ENV_NOT_HANDED_ON = rule("LA501")
COMPOSE_WINS = rule("LA502")
PORT_NEEDED = rule("LA503")
YAML_HIDES_BUTTON = rule("LA504")
YAML_NOT_MOUNTED = rule("LA505")
PANEL_CALLBACK = rule("LA507")
OTHER_LIBRECHAT = rule("LA540")

_PUBLISHES_PORT = re.compile(r"\$\{?PORT\b(?!:?-)")
_JUDGED_SECTIONS = frozenset({Section.OPENID, Section.LOGIN})
_JUDGED_NAMES = frozenset({"DOMAIN_CLIENT", "DOMAIN_SERVER"})


def _broken_document(subject: Subject) -> Iterator[Finding]:
    for document in subject.deployment.documents:
        if document.trouble:
            detail = Message("{file}: {trouble}", file=document.name, trouble=document.trouble)
            yield BROKEN_DOCUMENT.finding(detail)


def _env_not_handed_on(subject: Subject) -> Iterator[Finding]:
    if not subject.runner.is_compose or subject.deployment.hands_env_on:
        return
    if "OPENID_CLIENT_ID" not in subject.handed:
        yield ENV_NOT_HANDED_ON.finding(
            sentences(
                subject.runner.because,
                Message("{files}: services.api has no .env.", files=_compose_files(subject)),
            )
        )


def _compose_wins(subject: Subject) -> Iterator[Finding]:
    for name, handed in subject.handed.items():
        is_judged = name in VARIABLES and (
            name in _JUDGED_NAMES or VARIABLES[name].section in _JUDGED_SECTIONS
        )
        in_file = subject.assignments.get(name)
        if is_judged and in_file is not None and in_file.value != handed.value:
            yield COMPOSE_WINS.finding(
                Message(
                    "{file} sets {name}={value}; the .env says otherwise on line {line}.",
                    file=handed.where,
                    name=name,
                    value=subject.shown(name),
                    line=subject.line(in_file),
                ),
                fix=Message(
                    "Remove {name} from services.api.environment in {file}, or make both the same.",
                    name=name,
                    file=handed.where,
                ),
                variable=name,
            )


def _port_needed(subject: Subject) -> Iterator[Finding]:
    ports = map(scalar, subject.deployment.items("api", "ports"))
    is_used = subject.runner.is_compose and any(map(_PUBLISHES_PORT.search, ports))
    if is_used and not (subject.file.values().get("PORT") or subject.environ.get("PORT")):
        yield subject.finding(PORT_NEEDED, "PORT")


def _yaml_hides_button(subject: Subject) -> Iterator[Finding]:
    content = subject.deployment.yaml.content or {}
    registration = content.get("registration")
    logins = registration.get("socialLogins") if isinstance(registration, Mapping) else None
    if isinstance(logins, list) and "openid" not in logins and subject.reads_yaml:
        names = ", ".join(filter(None, map(scalar, logins[:10])))
        yield YAML_HIDES_BUTTON.finding(
            Message(
                "{file}: registration.socialLogins has {logins}.",
                file=YAML_FILE,
                logins=subject.without_secrets(names) or Message("none"),
            )
        )


def _yaml_not_mounted(subject: Subject) -> Iterator[Finding]:
    deployment = subject.deployment
    is_elsewhere = "://" in subject.value("CONFIG_PATH")
    if deployment.yaml.content and not subject.reads_yaml and not is_elsewhere:
        yield YAML_NOT_MOUNTED.finding(
            sentences(subject.runner.because, Message("It does not mount {file}.", file=YAML_FILE))
        )


def _compose_files(subject: Subject) -> str:
    return ", ".join(document.name for document in subject.deployment.compose)


def _unreadable(subject: Subject) -> Iterator[Finding]:
    access, reader = subject.facts.access, subject.runner.reader
    if access and reader and not access.lets_read(reader):
        finding = unreadable(access, reader, subject.path)
        yield replace(finding, detail=sentences(subject.runner.because, finding.detail))


def _other_librechat(subject: Subject) -> Iterator[Finding]:
    folder = subject.runner.other_folder
    if folder is not None:
        yield OTHER_LIBRECHAT.finding(
            Message("It was started in {folder}.", folder=folder),
            fix=Message(
                "librechat-auth0 doctor --env-file {file}, or stop that LibreChat and start this"
                " one.",
                file=command_line([str(folder / ".env")]),
            ),
        )


def _panel_callback(subject: Subject) -> Iterator[Finding]:
    if subject.value("ADMIN_PANEL_URL") and (server := subject.value("DOMAIN_SERVER")):
        callback = subject.without_secrets(f"{server}/api/admin/oauth/openid/callback")
        fix = Message(
            "If the panel signs in by Auth0, add {callback} to Allowed Callback URLs.",
            callback=callback,
        )
        yield subject.finding(PANEL_CALLBACK, "ADMIN_PANEL_URL", fix=fix)


CHECKS = (
    Check(ENV_NOT_HANDED_ON, _env_not_handed_on),
    Check(PORT_NEEDED, _port_needed, lambda _, __: {"PORT": VARIABLES["PORT"].default or ""}),
    Check(YAML_HIDES_BUTTON, _yaml_hides_button),
    Check(BROKEN_DOCUMENT, _broken_document),
    Check(COMPOSE_WINS, _compose_wins),
    Check(UNREADABLE_IN_CONTAINER, _unreadable),
    Check(OTHER_LIBRECHAT, _other_librechat),
    Check(YAML_NOT_MOUNTED, _yaml_not_mounted),
    Check(PANEL_CALLBACK, _panel_callback),
)
