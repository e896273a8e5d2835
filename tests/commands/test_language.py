"""Whole commands in a language that marks every translated word; the rest must be data."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.auth0.scripted import (
    AUDIENCE,
    CLIENT_ID,
    DOMAIN,
    NOW,
    PUBLIC_URL,
    SECRET,
    ScriptedTenant,
    oauth,
    to_callback,
)
from tests.commands.test_doctor import VALUES, Everything
from tests.commands.test_trust import Keychain
from tests.doctor.cases import GOOD, env
from tests.fakes import FixedClock, NoHttp, ScriptedPrompter, make_world
from tests.languages import pseudo, unsaid
from tests.management_stand_in import Managed
from tests.ports import free_port
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from wizard import cli
from wizard.commands.doctor import DoctorOptions, run_doctor
from wizard.commands.explain import run_explain
from wizard.commands.init import run_init
from wizard.commands.provision import ProvisionOptions, run_provision
from wizard.commands.report import run_report
from wizard.commands.trust import TrustOptions, run_trust
from wizard.commands.tunnel import ReopenOptions, run_tunnel
from wizard.commands.tunnel_status import run_status, run_stop
from wizard.commands.undo import run_undo
from wizard.commands.verify import VerifyOptions, run_verify
from wizard.execution import INTERRUPTED
from wizard.findings import Failure
from wizard.http import HttpClient, NetworkError, Trouble
from wizard.language import Language, Message
from wizard.librechat.env_file import EnvFile
from wizard.ports import Ports
from wizard.rules import BUG, all_rules, origin_of
from wizard.steps.background.records import Background, BackgroundTunnel
from wizard.steps.live_view import LiveView, state_text
from wizard.steps.options import InitOptions
from wizard.system.desktop import Desktop
from wizard.system.process_control import start_time
from wizard.text import one_line
from wizard.tunnels import EventKind, TunnelEvent

# What is the same in every language.
DATA = (
    r"^(ok|x|!|i|~|\?|-) ",  # what a line is
    r"^ *\d* [+-] .*$",  # lines of a diff
    r"^    .*$",  # lines to copy
    r"\blibrechat-auth0 doctor\b",  # a command within a sentence
    r"Allowed (Callback URLs|Logout URLs|Web Origins|Origins \(CORS\))",  # the dashboard's words
    r"Client (ID|Secret)|API identifier|Domain|Allow (Offline Access|Skipping User Consent)",
    r"Application Access Policy, User-Delegated Access|Application Type",
    r"Authentication Method|Grant Types",
    r"^ *(Identifier|Name):|OIDC Conformant|(JSON Web Token Signature|Signing) Algorithm",
    r"No such file or directory|\[Errno -2\] 00",  # the system's words
    r"SecTrustSettingsSetTrustSettings: denied",
    r"(access_denied: )?Unauthorized|Client is unknown|: Callback URL mismatch",  # a server's words
    r"[^\s|]*[{}/\\_.@:=#*0-9•…-][^\s|]*[\w/•…*}]",  # paths, URLs, names, numbers
    r"\b(openid|profile|email)\b",  # scopes
    r"LibreChat|Auth0|pigeon|ngrok|localtunnel|cloudflared|caddy|\blocal\b|\bnone\b",  # names
    r"tailscale|devtunnel",
    r"\b(GET|ms)\b",  # of a request's line
    r"\b(security|certutil|trustRoot|Root|ZeroDivisionError)\b",  # of commands and programs
)
# In help, also these.
TYPED = (
    r"^.*\[OPTIONS\].*$",  # a usage line
    r"'[^']*'",  # what was typed
    r"^  [a-z]+(?= {2,})",  # a command
    r"^  librechat-auth0.*$",  # an example
    r"\blibrechat-auth0 [a-z]+",  # a command whose help is mentioned
    r"\b[A-Z]{2,}\b|rule|en\|nl|en, nl|LA…",  # the values of an option
)
WORD = re.compile(r"[^\W\d_]{2,}")


class Shown:
    """The output of one run in the marking language."""

    def __init__(self, folder: Path, *script: tuple[str, object], **given: Any) -> None:
        self.prompter = ScriptedPrompter(*script) if script else None
        self.world = make_world(folder, prompter=self.prompter, language=pseudo(), **given)
        self.ports = self.world.ports

    def run(self, command: Callable[[Ports], object]) -> Shown:
        """Run it like `execute`, which shows the error that ends it."""
        try:
            command(self.ports)
        except Failure as failure:
            self.ports.console.finding(failure.finding)
        if self.prompter is not None:
            self.prompter.verify()
        return self

    @property
    def text(self) -> str:
        asked = self.prompter.shown if self.prompter else []
        return "\n".join([self.world.said, *map(pseudo().say, asked), self.world.stdout.getvalue()])

    @property
    def untranslated(self) -> list[str]:
        """Return the lines with words that are neither marked nor data."""
        assert "⟦" in self.text
        return untranslated(self.text)


def untranslated(text: str, data: Sequence[str] = DATA) -> list[str]:
    """Return the lines with words that are neither marked nor data."""
    left = unsaid(text)
    for pattern in data:
        left = re.sub(pattern, "", left, flags=re.MULTILINE)
    return [" ".join(line.split()) for line in left.split("\n") if WORD.search(line)]


@pytest.fixture
def folder(checkout: Path) -> Path:
    return checkout


def write(folder: Path, text: str) -> Path:
    path = folder / ".env"
    path.write_text(text)
    path.chmod(0o600)
    return path


def options(**changed: Any) -> InitOptions:
    given: dict[str, Any] = {
        "domain": DOMAIN,
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "audience": AUDIENCE,
        "public_url": PUBLIC_URL,
        "yes": True,
    }
    return InitOptions(**{**given, **changed})


def init(
    folder: Path,
    chosen: InitOptions,
    *script: tuple[str, object],
    desktop: Desktop | None = None,
    env_file: Path | None = None,
    **given: Any,
) -> Shown:
    shown = Shown(folder, *script, clock=FixedClock(NOW), **given)
    shown.ports = shown.ports._replace(desktop=desktop or shown.ports.desktop)
    return shown.run(lambda ports: run_init(chosen, ports, lambda _: None, env_file))


def test_notices_an_untranslated_word() -> None:
    """A check of the method itself."""
    shown = pseudo().say(Message("{url} instead of {wanted}.", url="https://a", wanted="that one"))

    assert untranslated(shown) == ["| | that one |"]
    assert untranslated(pseudo().say("Nothing was written.")) == []


def test_init_without_a_terminal(folder: Path) -> None:
    assert init(folder, options(), http=ScriptedTenant()).untranslated == []
    assert init(folder, options(offline=True, dry_run=True)).untranslated == []


FAULTS: dict[str, HttpClient] = {
    "secret": ScriptedTenant(code=oauth("access_denied", "Unauthorized", 401)),
    "callback": ScriptedTenant(
        authorize=to_callback(error="unauthorized_client", error_description="Client is unknown")
    ),
    "network": ScriptedTenant(
        discovery=NetworkError(Trouble.NAME, f"https://{DOMAIN}/", "[Errno -2] 00")
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_init_with_a_failed_check(folder: Path, fault: str) -> None:
    assert init(folder, options(), http=FAULTS[fault]).untranslated == []


class BrokenDesktop(Desktop):
    """A browser that does not open and a clipboard that does not work."""

    def has_browser(self) -> bool:
        return True

    def has_clipboard(self) -> bool:
        return True


def test_interactive_init(folder: Path) -> None:
    shown = init(
        folder,
        InitOptions(public_url=PUBLIC_URL, allow_anybody=True, hold=False),
        ("How do you want", "hand"),
        ("Domain", "http://dev-abc.us.auth0.com"),
        ("Domain", DOMAIN),
        ("Client ID", CLIENT_ID),
        ("Client Secret", CLIENT_ID),
        ("Client Secret", SECRET),
        ("Client Secret", ""),
        ("Its URLs", "Allowed Logout URLs"),
        ("Its URLs", "open"),
        ("Its URLs", "done"),
        ("Its URLs", "done"),
        ("The API", "other"),
        ("API Identifier", AUDIENCE),
        ("What now?", "open"),
        ("What now?", "change"),
        ("Client Secret", ""),
        ("Client Secret", ""),
        ("What now?", "wait"),
        ("What now?", "write"),
        ("Write these changes?", True),
        http=ScriptedTenant(
            code=oauth("access_denied", "Unauthorized", 401),
            authorize=to_callback(
                error="unauthorized_client", error_description="Callback URL mismatch"
            ),
        ),
        desktop=BrokenDesktop(),
    )

    assert shown.untranslated == []


def test_init_that_is_interrupted_and_continued(folder: Path) -> None:
    chosen = InitOptions(public_url=PUBLIC_URL, allow_anybody=True, offline=True, hold=False)
    began = (("Domain", DOMAIN), ("Client ID", KeyboardInterrupt))

    assert init(folder, chosen, *began).untranslated == []
    assert init(folder, chosen, ("Resume", False), *began).untranslated == []


def test_descriptions_of_tunnels(folder: Path) -> None:
    shown = init(
        folder,
        InitOptions(hold=False),
        ("Which HTTPS URL", "own"),
        ("Public URL", KeyboardInterrupt),
    )

    assert shown.untranslated == []


@pytest.mark.parametrize(
    "chosen",
    [
        InitOptions(offline=True, allow_anybody=True),
        options(domain="http://dev.us.auth0.com"),
        options(client_id="two words"),
        options(client_secret=CLIENT_ID),
        options(client_secret="", client_secret_file="/nowhere"),
        options(audience=f"https://{DOMAIN}/api/v2/"),
        options(public_url="http://chat.example.com"),
        options(public_url="", tunnel="pigeon"),
        options(port="0"),
        options(verify=True, offline=True),
    ],
    ids=repr,
)
def test_errors_that_end_init(folder: Path, chosen: InitOptions) -> None:
    assert init(folder, chosen).untranslated == []


def test_a_folder_that_init_does_not_find(folder: Path) -> None:
    assert init(folder, options(), env_file=Path("/nowhere/.env")).untranslated == []


def broken(**changes: str | None) -> str:
    return env(
        "B=1\nB=2\nOPENID_SCOPES=x",
        **{
            "DOMAIN_CLIENT": "http://localhost:3080/",
            "OPENID_ISSUER": "http://dev-abc123.us.auth0.com/x",
            "OPENID_CLIENT_ID": "your-client-id",
            "OPENID_CALLBACK_URL": "https://chat.example.com/oauth/openid/callback",
            "OPENID_SCOPE": "openid",
            "CREDS_KEY": "f34be427ebb29de8d88c107a71546019685ed8b241d8f2ed00c3df97ad2566f0",
            "JWT_SECRET": "s-1",
            "ALLOW_SOCIAL_LOGIN": "1",
            "SESSION_EXPIRY": "15 m",
            "OPENID_SESSION_SECRET": "x",
            **changes,
        },
    )


@pytest.mark.parametrize("name", [None, *GOOD])
def test_doctor_on_a_broken_file(folder: Path, name: str | None) -> None:
    write(folder, broken(**({name: None} if name else {})))
    chosen = DoctorOptions(offline=True)

    assert Shown(folder).run(lambda ports: run_doctor(chosen, ports)).untranslated == []


def test_doctor_fix(folder: Path) -> None:
    write(folder, broken())
    shown = Shown(folder, ("Write these changes?", True))
    shown.run(lambda ports: run_doctor(DoctorOptions(offline=True, fix=True), ports))

    assert shown.untranslated == []


def test_doctor_on_tenant_and_librechat(folder: Path) -> None:
    with running(LibreChat({})) as librechat:
        text = env(**{**VALUES, "PORT": str(librechat.port)})
        write(folder, text)
        librechat.values = {**EnvFile(text).values(), "OPENID_SCOPE": "openid"}
        tunnel = Tunnel(PUBLIC_URL, librechat.port)
        tenant = ScriptedTenant(code=oauth("access_denied", "Unauthorized", 401))
        http = Everything(tenant, tunnel)
        shown = Shown(folder, http=http, clock=FixedClock(NOW))
        shown.run(lambda ports: run_doctor(DoctorOptions(), ports))

    assert shown.untranslated == []


@pytest.mark.parametrize(
    "chosen",
    [
        DoctorOptions(env_file=Path("other.env")),
        DoctorOptions(rules=("LA999",)),
        DoctorOptions(fix=True),
    ],
    ids=repr,
)
def test_errors_that_end_doctor(folder: Path, chosen: DoctorOptions) -> None:
    write(folder, env())
    shown = Shown(folder).run(lambda ports: run_doctor(chosen, ports))

    assert shown.untranslated == []


@pytest.mark.parametrize("rule", ["", "LA999", *all_rules()])
def test_explain(folder: Path, rule: str) -> None:
    shown = Shown(folder).run(lambda ports: run_explain(rule, ports))
    source = all_rules()[rule].source if rule in all_rules() else ""
    text, origin = shown.text, origin_of(source)
    for name in (source, origin.name if origin else "", origin.version if origin else ""):
        text = text.replace(name, "") if name else text

    assert untranslated(text) == []


def test_explain_keeps_its_columns(folder: Path) -> None:
    texts = Shown(folder).run(lambda ports: run_explain("LA101", ports)).text
    labels = re.findall(r"^  ⟦(?:Why|Next|Source):\S* +", texts, re.MULTILINE)

    assert len(labels) == 3
    assert len({len(label) for label in labels}) == 1


def kept(folder: Path, **changes: Any) -> BackgroundTunnel:
    started = start_time(os.getpid()) or ""
    env_file, url = str(folder / ".env"), "https://localhost:3443"
    one = BackgroundTunnel(env_file, "local", url, 3080, os.getpid(), started, 0.0)
    return one._replace(**changes)


def test_tunnel_status_and_stop(folder: Path) -> None:
    shown = Shown(folder)
    background = Background(shown.ports.state_dir)
    shown.run(run_status).run(lambda ports: run_stop(None, ports))
    background.keep(kept(folder, trouble=Message(Trouble.REFUSED.value)))
    shown.run(run_status)
    background.keep(kept(folder, started="another", trouble=Message(Trouble.NAME.value)))
    shown.run(run_status)

    assert shown.untranslated == []


def test_tunnel(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wizard.tunnels import local

    monkeypatch.setattr(local, "DEFAULT_URL", f"https://localhost:{free_port()}")
    write(folder, env(DOMAIN_CLIENT="https://old.example.com"))
    for chosen, script in (
        (ReopenOptions(tunnel="local", dry_run=True), ()),
        (ReopenOptions(tunnel="local"), ()),
        (ReopenOptions(tunnel="local"), (("Write these changes?", False),)),
        (ReopenOptions(tunnel="pigeon"), ()),
        (ReopenOptions(env_file=Path("other.env")), ()),
    ):
        shown = Shown(folder, *script)
        shown.run(lambda ports, chosen=chosen: run_tunnel(chosen, ports, lambda _: None))  # type: ignore[misc]
        assert shown.untranslated == []


def test_the_live_view() -> None:
    lines: list[str] = []
    view = LiveView(3080, NoHttp(), lines.append)
    view.hear(TunnelEvent(EventKind.REQUEST, "GET", "/api", 200, 12.4))
    view.hear(TunnelEvent(EventKind.LOST, detail=Message(Trouble.TIMEOUT.value)))
    lines.append(state_text("https://localhost:3443", 3725, requests=7, losses=2))

    assert untranslated("\n".join(one_line(pseudo().say(line)) for line in lines)) == []


@pytest.mark.parametrize("remove", [False, True])
@pytest.mark.parametrize("platform", ["darwin", "win32", "linux"])
def test_trust(folder: Path, platform: str, remove: bool) -> None:
    shown = Shown(folder)
    ports = shown.ports._replace(processes=Keychain(refuses=True))
    for chosen in (
        TrustOptions(remove=remove, dry_run=True),
        TrustOptions(remove=remove),
        TrustOptions(remove=remove, yes=True),
    ):
        shown.run(lambda _, chosen=chosen: run_trust(chosen, ports, platform))  # type: ignore[misc]

    assert shown.untranslated == []


def test_undo(folder: Path) -> None:
    init(folder, options(offline=True))
    for script in (
        (),
        (("Delete it?", False),),
        (("Delete it?", True),),
        (),
    ):
        shown = Shown(folder, *script)
        shown.run(lambda ports: run_undo(None, ports, yes=False))
        assert shown.untranslated == []


def test_report_is_in_english_for_maintainers(folder: Path) -> None:
    write(folder, broken())
    shown = Shown(folder)
    run_report(None, shown.ports, offline=True)

    assert untranslated(shown.world.said) == []
    assert "⟦" not in shown.world.stdout.getvalue()


def test_verify_before_the_sign_in(folder: Path) -> None:
    for text in ("", broken(), env(**VALUES)):
        write(folder, text)
        shown = Shown(folder, http=FAULTS["secret"], clock=FixedClock(NOW))
        shown.run(lambda ports: run_verify(VerifyOptions(), ports))
        assert shown.untranslated == []


def test_provision(folder: Path, managed: Managed) -> None:
    chosen = ProvisionOptions(domain=managed.domain, public_url=PUBLIC_URL)
    environ = {"AUTH0_MANAGEMENT_TOKEN": managed.token()}
    runs: Sequence[tuple[tuple[tuple[str, object], ...], dict[str, str], ProvisionOptions]] = (
        ((), environ, chosen),
        ((), environ, replace(chosen, dry_run=True)),
        ((("Make these changes?", False),), environ, chosen),
        ((), environ, replace(chosen, yes=True)),
        ((), environ, replace(chosen, yes=True)),
        ((), environ, replace(chosen, yes=True, public_url="https://other.example.com")),
        ((), {}, chosen),
        ((), environ, ProvisionOptions()),
    )
    for script, given, wanted in runs:
        shown = Shown(folder, *script, http=managed.http, clock=managed.clock, environ=given)
        shown.run(lambda ports, wanted=wanted: run_provision(wanted, ports))  # type: ignore[misc]
        assert shown.untranslated == []


def test_errors_that_end_any_command(folder: Path) -> None:
    for failure in (BUG.failure("ZeroDivisionError"), INTERRUPTED.failure()):

        def fail(_: Ports, failure: Failure = failure) -> None:
            raise failure

        assert Shown(folder).run(fail).untranslated == []


COMMANDS = ("init", "verify", "tunnel", "trust", "doctor", "explain", "report", "provision")
HELP = (
    ("--help",),
    *((command, "--help") for command in COMMANDS),
    ("tunnel", "status", "--help"),
    ("tunnel", "stop", "--help"),
)


@pytest.mark.parametrize("call", HELP, ids=" ".join)
def test_help(
    call: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "user_language", lambda *_: pseudo())
    monkeypatch.setattr(sys, "argv", ["librechat-auth0", *call])
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        cli.main()
    said = "".join(capsys.readouterr())

    assert "⟦" in said
    assert untranslated(said, (*TYPED, *DATA)) == []


ACTS = "\x1b]0;title\x07\x1b[31m"
HOSTILE_CALLS = (
    (ACTS,),
    (f"--{ACTS}",),
    ("explain", "LA101", ACTS),
    ("verify", "--timeout", ACTS),
    ("init", "--lang", ACTS),
    (f"init --{ACTS}",),
)


@pytest.mark.parametrize("language", [Language("en"), Language.named("nl")], ids=["en", "nl"])
@pytest.mark.parametrize("call", HOSTILE_CALLS, ids=repr)
def test_escapes_control_characters_in_invalid_arguments(
    call: tuple[str, ...],
    language: Language,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "user_language", lambda *_: language)
    monkeypatch.setattr(sys, "argv", ["librechat-auth0", *call])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 2
    said = "".join(capsys.readouterr())
    assert "title" in said
    assert not set("\x1b\x07") & set(said)
