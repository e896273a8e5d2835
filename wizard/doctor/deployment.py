"""Rules on Docker Compose: what keeps the `.env` from having its effect."""

from __future__ import annotations

from collections.abc import Iterator

from wizard.doctor.addresses import DEFAULT_PORT
from wizard.doctor.check import OVERRIDES_FILE, Check, Edits, Violation, check, on, said_by_runner
from wizard.doctor.subject import Subject, is_of_sign_in
from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.compose.model import Trouble, same_file
from wizard.librechat.environment import Origin
from wizard.librechat.permissions import UNREADABLE_IN_CONTAINER, unreadable
from wizard.rules import rule
from wizard.system.platforms import command_line

PANEL_CALLBACK = rule("LA507")
QUOTES_KEPT = rule("LA511")
NOT_EXPANDED = rule("LA512")
BORROWED = rule("LA517")

# What explains all other findings on the same variable.
DISTORTIONS = (QUOTES_KEPT, NOT_EXPANDED)
_FIXES = {
    Origin.CONTAINER: Message("Create the container again with the value of the .env."),
    Origin.COMPOSE: Message("Remove {name} from environment in {file}, or make both the same."),
}
_FIX = Message("Remove {name} from {file}, or make both the same.")


def _broken_document(subject: Subject) -> Iterator[Violation]:
    troubles = [
        each for each in subject.deployment.project.troubles if not _is_in_env(each, subject)
    ]
    config = subject.config
    if reason := config.trouble or config.misshapen:
        troubles.append(Trouble(reason, config.path))
    for trouble in troubles:
        text = "{trouble}" if trouble.path is None else "{file}: {trouble}"
        file = trouble.path.name if trouble.path else ""
        yield Violation(text, trouble=trouble.at_line, file=file)


def _is_in_env(trouble: Trouble, subject: Subject) -> bool:
    return trouble.path is not None and same_file(trouble.path, subject.deployment.env_file)


def _line_refused(subject: Subject) -> Iterator[Violation]:
    if subject.runner.is_npm:
        return
    for trouble in subject.deployment.project.troubles:
        if trouble.line is not None and _is_in_env(trouble, subject):
            yield Violation("Line {line}: {problem}.", line=trouble.line, problem=trouble.reason)


def _env_not_handed_on(subject: Subject) -> Iterator[Violation]:
    service, env_file = subject.deployment.service, subject.deployment.env_file
    if service is None or not subject.is_forgotten:
        return
    target = service.target_of(env_file)
    read = service.dotenv() or next((each.path for each in reversed(service.env_files)), None)
    found, fix = Message("{service} neither mounts it nor has it under env_file."), None
    if target:
        found = Message("{service} mounts it at {target}; LibreChat reads {folder}/.env.")
        fix = Message("Change {target} to {folder}/.env in the volumes of {service}.")
    elif read:
        found = Message("{service} reads {file}, not this file.")
        fix = Message(
            "Put the values into {file} and run librechat-auth0 doctor --env-file {path}, or mount"
            " this file at {folder}/.env."
        )
    yield Violation(
        found,
        fix=fix,
        service=service.name,
        folder=service.folder,
        target=target,
        file=read.name if read else "",
        path=command_line([str(read)]) if read else "",
    )


def _compose_wins(subject: Subject, name: str) -> Violation | None:
    setting = subject.overriding(name)
    if setting is None or setting.origin is Origin.SHELL or name in subject.distorted:
        return None
    return Violation(OVERRIDES_FILE, fix=_FIXES.get(setting.origin, _FIX), file=setting.where)


def _keeps_quotes(subject: Subject, name: str) -> Violation | None:
    setting = subject.environment[name]
    if setting.value[0] not in "'\"`":
        return None
    fix = Message('In {file}, put the quotes around the whole entry: - "{name}=value".')
    if setting.origin is not Origin.COMPOSE:
        fix = Message("Write {name} without these quotes.")
    return Violation(fix=fix, file=setting.where)


def _without_backticks(subject: Subject, name: str) -> Edits:
    assignment = subject.assignments.get(name)
    return {name: assignment.value} if assignment and assignment.raw[:1] == "`" else {}


def _is_not_expanded(subject: Subject, name: str) -> bool | Violation:
    setting = subject.environment[name]
    if setting.value[0] in "'\"`":
        return False
    if setting.origin is Origin.COMPOSE:
        return Violation(fix=Message("In {file}, write one $ instead of two."), file=setting.where)
    fix = Message("Remove the single quotes: Docker Compose does not expand references in them.")
    is_passed_on = subject.container is not None and name in subject.container.variables
    return Violation(fix=fix) if is_passed_on else True


def _holds_another(subject: Subject, name: str) -> Violation:
    taken = subject.deployment.project.borrowed[subject.borrowed[name]]
    return Violation(
        "{seen}. It holds {other} of {origin}.",
        other=subject.borrowed[name],
        origin=taken.where or taken.origin.value,
    )


def _unreadable(subject: Subject) -> Iterator[Finding]:
    access, reader = subject.facts.access, subject.runner.reader
    if access and reader and not access.lets_read(reader):
        yield said_by_runner(unreadable(access, reader, subject.path), subject)


def _other_librechat(subject: Subject) -> Iterator[Violation]:
    folder = subject.runner.other_folder
    if folder is not None:
        yield Violation(
            "It was started in {folder}.",
            fix=Message(
                "librechat-auth0 doctor --env-file {file}, or stop that LibreChat and start this"
                " one."
            ),
            folder=folder,
            file=command_line([str(folder / ".env")]),
        )


def _panel_callback(subject: Subject, name: str) -> Violation | None:
    server = subject.value("DOMAIN_SERVER")
    if not (subject.value(name) and server):
        return None
    return Violation(
        fix=Message("If the panel signs in by Auth0, add {callback} to Allowed Callback URLs."),
        callback=subject.without_secrets(f"{server}/api/admin/oauth/openid/callback"),
    )


def _is_port_needed(subject: Subject, name: str) -> bool:
    service = None if subject.runner.is_npm else subject.deployment.service
    is_set = subject.file.values().get(name) or subject.environ.get(name)
    return bool(service and not is_set and any(not port for port in service.ports))


CHECKS = (
    check("LA501", _env_not_handed_on, says_runner=True),
    check("LA510", _line_refused, says_runner=True),
    on(QUOTES_KEPT.id, lambda it: it.distorted, _keeps_quotes, _without_backticks),
    on(NOT_EXPANDED.id, lambda it: it.distorted, _is_not_expanded),
    on(BORROWED.id, lambda it: it.borrowed, _holds_another),
    on("LA503", "PORT", _is_port_needed, DEFAULT_PORT),
    check("LA500", _broken_document),
    on("LA502", lambda it: filter(is_of_sign_in, it.handed), _compose_wins),
    Check(UNREADABLE_IN_CONTAINER, _unreadable),
    check("LA540", _other_librechat),
    on(PANEL_CALLBACK.id, "ADMIN_PANEL_URL", _panel_callback),
)
