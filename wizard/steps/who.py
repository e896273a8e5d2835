"""Asks who may sign in to a LibreChat with a public URL, and closes LibreChat's own doors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wizard.auth0.access import Policy, Who, parse_address, parse_mail_domain, policy_of
from wizard.findings import ExitCode, Failure, Finding
from wizard.language import Message
from wizard.librechat.checkout import signs_of_use
from wizard.librechat.config_file import FILE_NAME
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_store import EnvStore
from wizard.librechat.variables import EMAIL_LOGIN, REGISTRATION, is_enabled, is_read
from wizard.ports import Ports
from wizard.settings import InvalidValue, Settings, is_public
from wizard.steps.by_hand import show_first_administrator, show_what_to_close
from wizard.steps.change import CHANGES_TO, Confirmation, consent, write
from wizard.steps.init_progress import AUTH0_SET_UP, Progress, Step
from wizard.ui.prompts import Choice, Prompter
from wizard.ui.screen import setting_lines

if TYPE_CHECKING:
    from wizard.doctor.subject import Subject
    from wizard.librechat.config_file import ConfigFile
    from wizard.librechat.runner import Runner
    from wizard.steps.folder import Folder

_CHOICES = (
    Choice(Who.PEOPLE, "People I name"),
    Choice(Who.DOMAINS, "Everyone with an address at these domains"),
    Choice(Who.ANYBODY, "Anybody, strangers too"),
)
_WORD = "anybody"
_OVERRIDE = "docker-compose.override.yml"


def ask_steps() -> Sequence[Step]:
    """Return the steps of `init` that ask who may sign in, or take it from the options."""
    return (
        Step(Message("Who may sign in"), _ask, _is_open),
        Step("", _ask, lambda it: it.options.policy is not None and _is_reachable(it)),
    )


def _is_open(progress: Progress) -> bool:
    is_settled = progress.options.policy or progress.folder.values.get("OPENID_REQUIRED_ROLE")
    return _is_reachable(progress) and not is_settled


def _is_reachable(progress: Progress) -> bool:
    return not progress.is_proved and is_public(progress.known.public_url or "")


def _ask(progress: Progress, ports: Ports) -> Progress:
    """Ask who may sign in, and plan to close LibreChat's own doors."""
    folder, url = progress.folder, progress.known.public_url or ""
    left = () if progress.policy or progress.options.offline else _left_open(progress, ports)
    if progress.policy is None and ports.prompter is None:
        ports.console.hint(
            "It stays as it is. To change it: --allow-user, --allow-domain or --allow-anybody."
        )
        ports.console.finding(*left)
        return replace(progress, findings=(*progress.findings, *left))
    values = folder.values or {REGISTRATION: "true"}  # as in LibreChat's example
    own = Message("Anybody can sign up at LibreChat with an email address.")
    is_open = is_enabled(folder.values, REGISTRATION)  # a new file closes it
    opened = [*([own] if is_open else []), *(it.detail for it in left)]
    policy = choose_policy(progress.policy, url, ports, opened)
    closing = closing_values(
        policy,
        values,
        ports,
        was_used=bool(signs_of_use(folder.checkout.folder, ports.processes)),
    )
    return replace(progress, policy=policy, variables={**progress.variables, **closing})


def _left_open(progress: Progress, ports: Ports) -> Sequence[Finding]:
    return doors_left_open(progress.folder, progress.settings, ports)


def doors_left_open(folder: Folder, settings: Settings, ports: Ports) -> Sequence[Finding]:
    """Return what strangers can do at Auth0, as the present `.env` leaves it to them."""
    from wizard.doctor.doors import auth0_findings
    from wizard.doctor.examine import ask_doors

    if not is_public(settings.public_url) or folder.values.get("OPENID_REQUIRED_ROLE"):
        return ()
    with ports.console.working("Checking {host}", host=settings.domain):
        doors = ask_doors(settings, ports.http, ports.clock)
    domains = config_of(folder.store, ports).part("registration", "allowedDomains")
    return tuple(auth0_findings(doors, has_domains=bool(domains)))


def close_doors(progress: Progress, ports: Ports) -> Progress:
    """Write the domains into librechat.yaml, and show what closes Auth0's doors."""
    policy, options = progress.policy, progress.options
    if policy is None or not (progress.result.is_up_to_date or options.dry_run):
        return progress
    if policy.domains:
        store = progress.folder.store
        config = config_of(store, ports)
        if config.path is None and config.named == FILE_NAME:
            from wizard.doctor.configuration import NOT_MOUNTED

            where = Message("It mounts nothing at {target}.", target=config.target)
            ports.console.finding(NOT_MOUNTED.finding(where))
            label = Message("In {file}, then restart LibreChat:", file=_OVERRIDE)
            ports.console.verbatim(label, _mount(progress.folder.runner, config.target))
            config = config._replace(path=config.path_in(store.path.parent))
        allow_domains(policy.domains, config, ports, dry_run=options.dry_run)
    is_by_hand = not _closed_by_api(policy, progress, ports)
    if is_by_hand:
        show_what_to_close(policy, progress.settings.client_id, ports)
    runner = progress.folder.runner
    if policy.admins:
        _show_panel(progress.folder.store, ports)
    if policy.admins and (is_by_hand or not is_read("OPENID_ADMIN_ROLE", runner.version)):
        written = EnvFile.from_bytes(progress.folder.store.read() or b"").values()
        mongo_uri = written.get("MONGO_URI", "")
        show_first_administrator(policy.admins[0], runner, mongo_uri, ports)
    return progress


def _mount(runner: Runner, target: str) -> Sequence[str]:
    """Return the lines of Docker Compose that show the configuration file to the container."""
    return (
        "services:",
        f"  {runner.service or 'api'}:",
        "    volumes:",
        "      - type: bind",
        f"        source: ./{FILE_NAME}",
        f"        target: {target}",
    )


def _closed_by_api(policy: Policy, progress: Progress, ports: Ports) -> bool:
    """Set the tenant up by the Management API where the user wants that, or it is at hand."""
    if progress.options.offline or (policy.who is Who.ANYBODY and not policy.admins):
        return False
    from wizard.steps.admit import set_up_access
    from wizard.steps.choose_access import choose_access, credential_at_hand

    credential = credential_at_hand(ports)
    if ports.prompter is not None:
        choices = (
            Choice("api", "Do it for me, with the Management API"),
            Choice("hand", "By hand, from a checklist"),
        )
        is_at_hand = credential.kind or AUTH0_SET_UP in ports.changed
        default = "api" if is_at_hand else "hand"
        answer = ports.prompter.select(
            "Limit who can sign in through Auth0", choices, default=default
        )
        if answer == "hand":
            return False
    elif not credential.kind:
        return False
    settings, options = progress.settings, progress.options
    try:
        access = choose_access(settings.domain, credential, ports)
        done = set_up_access(policy, settings.client_id, access, ports, replace(options, yes=True))
    except Failure as failure:
        if failure.exit_code is ExitCode.INTERRUPTED:
            raise
        ports.console.finding(failure.finding)
        return False
    return done is not None


def choose_policy(
    given: Policy | None, public_url: str, ports: Ports, opened: Sequence[str] = ()
) -> Policy | None:
    """Return who may sign in; None where only this machine reaches LibreChat, or nobody answers.

    `opened` are sentences on the doors that are open.
    """
    if not is_public(public_url):
        return None
    if given is not None or ports.prompter is None:
        return given
    for sentence in (Message("Anybody can open {url}.", url=public_url), *opened):
        ports.console.hint(sentence)
    who = ports.prompter.select("Who may sign in?", _CHOICES, default=Who.PEOPLE)
    if who == Who.DOMAINS:
        domains = ports.prompter.text("Domains, separated by commas", parse=_domains)
        return policy_of(domains=domains, admins=_administrator_at(domains, ports.prompter))
    if who == Who.PEOPLE:
        people = ports.prompter.text("Their email addresses, separated by commas", parse=_people)
        return policy_of(users=people, admins=_administrator_of(people[0], ports.prompter))
    ports.console.warn(
        "Strangers can then use this LibreChat, and you pay for their use of your API keys."
    )
    question = Message("Type {word} to open it to everyone", word=_WORD)
    ports.prompter.text(question, parse=_confirmed)
    return Policy(Who.ANYBODY)


def _administrator_of(address: str, prompter: Prompter) -> tuple[str, ...]:
    question = Message("Make {address} the administrator?", address=address)
    return (address,) if prompter.confirm(question) else ()


def _administrator_at(domains: Sequence[str], prompter: Prompter) -> tuple[str, ...]:
    def parse(text: str) -> tuple[str, ...]:
        if not text.strip():
            return ()
        policy_of(domains=domains, admins=(text,))
        return (parse_address(text),)

    return prompter.text("The administrator's email address (Enter for none)", parse=parse)


def _people(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_address(part) for part in text.split(",")))


def _domains(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(parse_mail_domain(part) for part in text.split(",")))


def _confirmed(text: str) -> str:
    if text.strip().lower() != _WORD:
        raise InvalidValue("Type {word}, or press Esc to go back.", word=_WORD)
    return text


def closing_values(
    policy: Policy | None, current: Mapping[str, str], ports: Ports, *, was_used: bool
) -> dict[str, str]:
    """Return the variables that close LibreChat's own doors.

    Where it was used, it may have users with a password: sign-ups are closed after a question, and
    the sign-in with a password stays unless the user closes it.
    """
    if policy is None or policy.who not in {Who.PEOPLE, Who.DOMAINS}:
        return {}
    values = {}
    prompter = ports.prompter if was_used else None
    if is_enabled(current, REGISTRATION) and (
        prompter is None
        or prompter.confirm("Turn off LibreChat's own sign-up by email? Existing users stay.")
    ):
        values[REGISTRATION] = "false"
    is_open = EMAIL_LOGIN not in current or is_enabled(current, EMAIL_LOGIN)
    if is_open and (
        not was_used
        or (
            prompter is not None
            and prompter.confirm(
                "Turn off the sign-in with a LibreChat password too? Users who have one could no"
                " longer sign in.",
                default=False,
            )
        )
    ):
        values[EMAIL_LOGIN] = "false"
    return values


def allow_domains(
    domains: tuple[str, ...], config: ConfigFile, ports: Ports, *, dry_run: bool
) -> bool:
    """Write the domains into LibreChat's configuration file after a question; return whether."""
    from wizard.librechat.config_edit import with_allowed_domains

    console = ports.console
    if config.path is None:
        console.warn(
            "Set registration.allowedDomains in {file} yourself: {domains}.",
            file=config.named,
            domains=", ".join(domains),
        )
        return False
    store = EnvStore(config.path, ports.state_dir, ports.last_words.append, is_private=False)
    content = store.read()
    edit = with_allowed_domains(content, domains, str(store.path))
    if not (edit.removed or edit.added):
        console.done("{file} already allows only these domains.", file=store.path)
        return False
    console.say(CHANGES_TO.filled(file=store.path))
    console.show(setting_lines("registration.allowedDomains", edit.removed, edit.added))
    if not consent(Confirmation(), ports, yes=True, dry_run=dry_run):
        return False
    return write(store, content, edit.after, ports).done


def config_of(store: EnvStore, ports: Ports) -> ConfigFile:
    """Return the configuration file that the LibreChat with this `.env` reads."""
    return _as_written(store, ports).config


def _as_written(store: EnvStore, ports: Ports) -> Subject:
    from wizard.doctor.subject import planned

    file = EnvFile.from_bytes(store.read() or b"")
    runner = store.runner({**file.values(), **ports.environ})
    return planned(store.path, file, ports.environ, runner)


def _show_panel(store: EnvStore, ports: Ports) -> None:
    """Print the callback URL that an administrator's panel needs, where one is started."""
    from wizard.doctor.deployment import CHECKS, PANEL_CALLBACK
    from wizard.doctor.registry import diagnose

    checks = [each for each in CHECKS if each.rule is PANEL_CALLBACK]
    ports.console.finding(*diagnose(_as_written(store, ports), checks))
