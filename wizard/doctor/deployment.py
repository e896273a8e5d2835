"""Rules on Docker Compose: what keeps the `.env` from having its effect."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.doctor.addresses import DEFAULT_PORT
from wizard.doctor.check import Check, Violation, check, on
from wizard.doctor.subject import Subject
from wizard.findings import Finding
from wizard.language import Message, sentences
from wizard.librechat.access import UNREADABLE_IN_CONTAINER, unreadable
from wizard.librechat.compose.model import Service, Trouble, same_file
from wizard.librechat.environment import Origin, Setting
from wizard.librechat.variables import VARIABLES, Section
from wizard.platforms import command_line
from wizard.rules import rule

PANEL_CALLBACK = rule("LA507")
QUOTES_KEPT = rule("LA511")
NOT_EXPANDED = rule("LA512")

# What explains all other findings on the same variable.
DISTORTIONS = (QUOTES_KEPT, NOT_EXPANDED)
_JUDGED_SECTIONS = frozenset({Section.OPENID, Section.LOGIN})
_JUDGED_NAMES = frozenset({"DOMAIN_CLIENT", "DOMAIN_SERVER"})


def _broken_document(subject: Subject) -> Iterator[Violation]:
    troubles = [
        each for each in subject.deployment.project.troubles if not _is_in_env(each, subject)
    ]
    config = subject.config
    if config.trouble:
        troubles.append(Trouble(config.trouble, config.path))
    for trouble in troubles:
        detail = trouble.at_line
        if trouble.path is not None:
            detail = Message("{file}: {trouble}", file=trouble.path.name, trouble=detail)
        yield Violation(detail)


def _is_in_env(trouble: Trouble, subject: Subject) -> bool:
    return trouble.path is not None and same_file(trouble.path, subject.deployment.env_file)


def _line_refused(subject: Subject) -> Iterator[Violation]:
    if subject.runner.is_npm:
        return
    for trouble in subject.deployment.project.troubles:
        if trouble.line is not None and _is_in_env(trouble, subject):
            yield Violation(
                sentences(
                    subject.runner.because,
                    Message("Line {line}: {problem}.", line=trouble.line, problem=trouble.reason),
                )
            )


def _env_not_handed_on(subject: Subject) -> Iterator[Violation]:
    service = subject.deployment.service
    if subject.is_forgotten and service is not None:
        found, fix = _where_it_is(service, subject)
        yield Violation(sentences(subject.runner.because, found), fix)


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


def _compose_wins(subject: Subject, name: str) -> Violation | None:
    setting, in_file = subject.handed[name], subject.assignments.get(name)
    if in_file is None or not _is_judged(name) or name in subject.distorted:
        return None
    if setting.origin is Origin.SHELL or setting.value == in_file.value:
        return None
    return Violation(subject.seen_over_file(name), _fix_of(name, setting))


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


def _keeps_quotes(subject: Subject, name: str) -> Violation | None:
    setting = subject.environment[name]
    if setting.origin is not Origin.COMPOSE or setting.value[0] not in "'\"":
        return None
    return Violation(
        fix=Message(
            'In {file}, put the quotes around the whole entry: - "{name}=value".',
            file=setting.where,
            name=name,
        )
    )


def _is_not_expanded(subject: Subject, name: str) -> bool | Violation:
    if subject.environment[name].origin is Origin.COMPOSE:
        return False
    fix = Message("Remove the single quotes: Docker Compose does not expand references in them.")
    is_passed_on = subject.container is not None and name in subject.container.variables
    return Violation(fix=fix) if is_passed_on else True


def _unreadable(subject: Subject) -> Iterator[Finding]:
    access, reader = subject.facts.access, subject.runner.reader
    if access and reader and not access.lets_read(reader):
        finding = unreadable(access, reader, subject.path)
        yield finding._replace(detail=sentences(subject.runner.because, finding.detail))


def _other_librechat(subject: Subject) -> Iterator[Violation]:
    folder = subject.runner.other_folder
    if folder is not None:
        yield Violation(
            Message("It was started in {folder}.", folder=folder),
            Message(
                "librechat-auth0 doctor --env-file {file}, or stop that LibreChat and start this"
                " one.",
                file=command_line([str(folder / ".env")]),
            ),
        )


def _panel_callback(subject: Subject, name: str) -> Violation | None:
    server = subject.value("DOMAIN_SERVER")
    if not (subject.value(name) and server):
        return None
    fix = Message(
        "If the panel signs in by Auth0, add {callback} to Allowed Callback URLs.",
        callback=subject.without_secrets(f"{server}/api/admin/oauth/openid/callback"),
    )
    return Violation(fix=fix)


def _is_port_needed(subject: Subject, name: str) -> bool:
    service = None if subject.runner.is_npm else subject.deployment.service
    is_set = subject.file.values().get(name) or subject.environ.get(name)
    return bool(service and not is_set and any(not port for port in service.ports))


CHECKS = (
    check("LA501", _env_not_handed_on),
    check("LA510", _line_refused),
    on(QUOTES_KEPT.id, lambda it: it.distorted, _keeps_quotes),
    on(NOT_EXPANDED.id, lambda it: it.distorted, _is_not_expanded),
    on("LA503", "PORT", _is_port_needed, DEFAULT_PORT),
    check("LA500", _broken_document),
    on("LA502", lambda it: it.handed, _compose_wins),
    Check(UNREADABLE_IN_CONTAINER, _unreadable),
    check("LA540", _other_librechat),
    on(PANEL_CALLBACK.id, "ADMIN_PANEL_URL", _panel_callback),
)
