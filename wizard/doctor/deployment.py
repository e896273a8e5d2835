"""Rules on Docker Compose: what keeps the `.env` from having its effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from wizard.doctor.addresses import DEFAULT_PORT
from wizard.doctor.check import Check, on
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.access import UNREADABLE_IN_CONTAINER, unreadable
from wizard.librechat.compose.model import Service, Trouble, same_file
from wizard.librechat.environment import Origin, Setting
from wizard.librechat.variables import VARIABLES, Section
from wizard.platforms import command_line
from wizard.rules import rule

BROKEN_DOCUMENT = rule("LA500")
ENV_NOT_HANDED_ON = rule("LA501")
COMPOSE_WINS = rule("LA502")
PANEL_CALLBACK = rule("LA507")
LINE_REFUSED = rule("LA510")
QUOTES_KEPT = rule("LA511")
NOT_EXPANDED = rule("LA512")
OTHER_LIBRECHAT = rule("LA540")

# What explains all other findings on the same variable.
DISTORTIONS = (QUOTES_KEPT, NOT_EXPANDED)
_JUDGED_SECTIONS = frozenset({Section.OPENID, Section.LOGIN})
_JUDGED_NAMES = frozenset({"DOMAIN_CLIENT", "DOMAIN_SERVER"})


def _broken_document(subject: Subject) -> Iterator[Finding]:
    troubles = [
        each for each in subject.deployment.project.troubles if not _is_in_env(each, subject)
    ]
    config = subject.config
    if config.trouble:
        troubles.append(Trouble(config.trouble, config.path))
    for trouble in troubles:
        if trouble.path is None:
            yield BROKEN_DOCUMENT.finding(trouble.at_line)
        else:
            yield BROKEN_DOCUMENT.finding(
                Message("{file}: {trouble}", file=trouble.path.name, trouble=trouble.at_line)
            )


def _is_in_env(trouble: Trouble, subject: Subject) -> bool:
    return trouble.path is not None and same_file(trouble.path, subject.deployment.env_file)


def _line_refused(subject: Subject) -> Iterator[Finding]:
    if subject.runner.is_npm:
        return
    for trouble in subject.deployment.project.troubles:
        if trouble.line is not None and _is_in_env(trouble, subject):
            yield LINE_REFUSED.finding(
                sentences(
                    subject.runner.because,
                    Message("Line {line}: {problem}.", line=trouble.line, problem=trouble.reason),
                )
            )


def _env_not_handed_on(subject: Subject) -> Iterator[Finding]:
    service = subject.deployment.service
    if subject.is_forgotten and service is not None:
        found, fix = _where_it_is(service, subject)
        yield ENV_NOT_HANDED_ON.finding(sentences(subject.runner.because, found), fix=fix)


def _where_it_is(service: Service, subject: Subject) -> tuple[Message, Message | None]:
    """What the container gets in place of the `.env`, and the next step; None for the rule's."""
    deployment = subject.deployment
    names = {"service": service.name, "folder": service.folder}
    if target := service.target_of(deployment.env_file):
        return (
            Message(
                "{service} mounts it at {target}; LibreChat reads {folder}/.env.",
                target=target,
                **names,
            ),
            Message(
                "Change {target} to {folder}/.env in the volumes of {service}.",
                target=target,
                **names,
            ),
        )
    read = service.dotenv() or next((each.path for each in reversed(service.env_files)), None)
    if read is not None:
        return (
            Message("{service} reads {file}, not this file.", file=read.name, **names),
            Message(
                "Put the values into {file} and run librechat-auth0 doctor --env-file {path}, or"
                " mount this file at {folder}/.env.",
                file=read.name,
                path=command_line([str(read)]),
                **names,
            ),
        )
    return Message("{service} neither mounts it nor has it under env_file.", **names), None


def _compose_wins(subject: Subject) -> Iterator[Finding]:
    for name, setting in subject.handed.items():
        in_file = subject.assignments.get(name)
        if in_file is None or not _is_judged(name) or name in subject.distorted:
            continue
        if setting.origin is Origin.SHELL or setting.value == in_file.value:
            continue
        yield COMPOSE_WINS.finding(
            Message(
                "{seen}. The .env has another value on line {line}.",
                seen=subject.seen(name),
                line=subject.line(in_file),
            ),
            fix=_fix_of(name, setting),
            variable=name,
        )


def _is_judged(name: str) -> bool:
    if name not in VARIABLES:
        return False
    return name in _JUDGED_NAMES or VARIABLES[name].section in _JUDGED_SECTIONS


def _fix_of(name: str, setting: Setting) -> Message:
    if setting.origin is Origin.CONTAINER:
        return Message("Create the container again with the value of the .env.")
    if setting.origin is Origin.COMPOSE:
        return Message(
            "Remove {name} from environment in {file}, or make both the same.",
            name=name,
            file=setting.where,
        )
    return Message(
        "Remove {name} from {file}, or make both the same.", name=name, file=setting.where
    )


def _quotes_kept(subject: Subject) -> Iterator[Finding]:
    for name in subject.distorted:
        setting = subject.environment[name]
        if setting.origin is Origin.COMPOSE and setting.value[0] in "'\"":
            yield subject.finding(
                QUOTES_KEPT,
                name,
                fix=Message(
                    'In {file}, put the quotes around the whole entry: - "{name}=value".',
                    file=setting.where,
                    name=name,
                ),
            )


def _not_expanded(subject: Subject) -> Iterator[Finding]:
    variables = subject.container.variables if subject.container else {}
    for name in subject.distorted:
        if subject.environment[name].origin is Origin.COMPOSE:
            continue
        fix = None
        if name in variables:
            fix = Message(
                "Remove the single quotes: Docker Compose does not expand references in them."
            )
        yield subject.finding(NOT_EXPANDED, name, fix=fix)


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


def _is_port_needed(subject: Subject, name: str) -> bool:
    service = None if subject.runner.is_npm else subject.deployment.service
    is_set = subject.file.values().get(name) or subject.environ.get(name)
    return bool(service and not is_set and any(not port.target for port in service.ports))


CHECKS = (
    Check(ENV_NOT_HANDED_ON, _env_not_handed_on),
    Check(LINE_REFUSED, _line_refused),
    Check(QUOTES_KEPT, _quotes_kept),
    Check(NOT_EXPANDED, _not_expanded),
    on("LA503", "PORT", _is_port_needed, DEFAULT_PORT),
    Check(BROKEN_DOCUMENT, _broken_document),
    Check(COMPOSE_WINS, _compose_wins),
    Check(UNREADABLE_IN_CONTAINER, _unreadable),
    Check(OTHER_LIBRECHAT, _other_librechat),
    Check(PANEL_CALLBACK, _panel_callback),
)
