"""`report`: everything that helps, and no secret."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.auth0.scripted import DOMAIN, NOW, ScriptedTenant
from tests.commands.test_doctor import VALUES, Everything, write
from tests.doctor.cases import CLIENT_SECRET, GOOD, PUBLIC_URL, env, subject
from tests.doctor.machines import Runs, npm
from tests.fakes import FixedClock, ScriptedPrompter, make_world
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from wizard.commands.report import MOST_IN_AN_ADDRESS, report_text, run_report, tunnel_kind
from wizard.doctor.delivered import FileFacts
from wizard.doctor.examine import Examination, conclude
from wizard.doctor.registry import diagnose
from wizard.findings import ExitCode
from wizard.librechat.env_file import EnvFile
from wizard.librechat.variables import VARIABLES
from wizard.system.desktop import Desktop


def examined(text: str) -> Examination:
    checked = subject(text)
    return conclude(checked, None, diagnose(checked))


def test_a_complete_report(tmp_path: Path) -> None:
    with running(LibreChat({})) as librechat:
        text = env(**VALUES, PORT=str(librechat.port), OPENID_SCOPES="x")
        librechat.values = EnvFile(text).values()
        write(tmp_path, text)
        http = Everything(ScriptedTenant(), Tunnel(PUBLIC_URL, librechat.port))
        world = make_world(tmp_path, http=http, clock=FixedClock(NOW))
        result = run_report(tmp_path / ".env", world.ports, offline=False)
    report = world.stdout.getvalue()
    assert report == result.report + "\n"
    assert result.exit_code is ExitCode.OK
    for part in (
        "librechat-auth0 0.",
        "Python 3.",
        "LA180 warning",
        f"OPENID_ISSUER=https://{DOMAIN}",
        "OPENID_REUSE_TOKENS=true",
        f"issuer: https://{DOMAIN}/",
        "Client secret: proved",
        "public URL: own domain",
        "openidLoginEnabled: true",
    ):
        assert part in report, part
    assert result.as_json() == {"report": result.report}


class WithoutBuild(LibreChat):
    """A LibreChat that does not know its commit: of an archive, without git."""

    def config(self) -> dict[str, object]:
        return {name: each for name, each in super().config().items() if name != "buildInfo"}


@pytest.mark.parametrize(("kind", "shown"), [(LibreChat, "commit: 361553f"), (WithoutBuild, "")])
def test_names_the_commit_where_librechat_knows_it(
    kind: type[LibreChat], shown: str, tmp_path: Path
) -> None:
    with running(kind({})) as librechat:
        write(tmp_path, env(**VALUES, PORT=str(librechat.port)))
        http = Everything(ScriptedTenant(), Tunnel(PUBLIC_URL, librechat.port))
        world = make_world(tmp_path, http=http, clock=FixedClock(NOW))
        report = run_report(tmp_path / ".env", world.ports, offline=False).report

    assert ("- commit: " in report) is bool(shown)
    assert shown in report


@dataclass
class Recorder(Desktop):
    """A desktop that records what it opens and copies."""

    copied: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def open(self, url: str) -> bool:
        self.opened.append(url)
        return True

    def copy(self, text: str) -> bool:
        self.copied.append(text)
        return True


def test_copies_the_report(tmp_path: Path) -> None:
    write(tmp_path, env())
    world = make_world(tmp_path)
    desktop = Recorder()
    result = run_report(
        tmp_path / ".env", world.ports._replace(desktop=desktop), offline=True, tracker=""
    )

    assert desktop.copied == [result.report]
    assert desktop.opened == []
    assert "Copied to the clipboard." in world.said


@pytest.mark.parametrize("answer", [True, False])
def test_offers_a_new_issue_if_the_project_has_a_tracker(tmp_path: Path, answer: bool) -> None:
    write(tmp_path, env(UNKNOWN="é" * 50))
    world = make_world(tmp_path, prompter=ScriptedPrompter(("Open a new issue", answer)))
    desktop = Recorder()
    result = run_report(
        tmp_path / ".env",
        world.ports._replace(desktop=desktop),
        offline=True,
        tracker="https://tracker.example/new",
    )

    assert len(desktop.opened) == answer
    for url in desktop.opened:
        assert len(url) <= MOST_IN_AN_ADDRESS
        (body,) = parse_qs(urlsplit(url).query)["body"]
        assert result.report.startswith(body)


def test_names_the_tracker_without_a_terminal(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    run_report(None, world.ports, offline=True, tracker="https://tracker.example/new")

    assert "Report it: https://tracker.example/new\n" in world.said


def test_works_without_an_env_file(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    result = run_report(None, world.ports, offline=False, tracker="")

    assert result.exit_code is ExitCode.OK
    assert "LA159 error" in result.report
    assert "Python 3." in result.report
    assert "## Variables" not in result.report


def test_the_report_is_short() -> None:
    """Faults come first, and empty variables are left out."""
    report = report_text(examined(env("OPENID_USERNAME_CLAIM=\nX=1", OPENID_SCOPE="")))

    assert report.splitlines()[2] == "## Findings"
    assert "OPENID_SCOPE" not in report.partition("## Variables")[2]
    assert "OPENID_USERNAME_CLAIM" not in report
    assert "X=[set, 1 character]" in report


def test_no_value_is_markup() -> None:
    """`<your-client-id>` would be a tag that GitHub does not show."""
    odd = "@org/team <your-client-id> ``` ![x](https://evil.example/x.png) <!--"
    report = report_text(examined(env(OPENID_CLIENT_ID=odd, OPENID_SCOPE=odd, HOST=odd)))

    shown = "".join(report.split("\n```")[::2])  # outside the blocks
    assert "@org/team" in report
    assert "@org/team" not in shown
    assert report.count("```") % 2 == 0


def test_the_report_has_no_secret() -> None:
    report = report_text(examined(env("MY_API_KEY=abc-123\nUNKNOWN=also-mine", OPENID_SCOPE="")))
    for name, variable in VARIABLES.items():
        if variable.secret and GOOD.get(name):
            assert GOOD[name] not in report, name
    assert "abc-123" not in report
    assert "also-mine" not in report
    assert "MY_API_KEY=[set, 7 characters]" in report


@pytest.mark.parametrize(
    "name",
    [
        "OPENID_CLIENT_ID",
        "OPENID_ISSUER",
        "OPENID_AUDIENCE",
        "DOMAIN_SERVER",
        "OPENID_SCOPE",
        "OPENID_CALLBACK_URL",
        "OPENID_BUTTON_LABEL",
        "OPENID_IMAGE_URL",
    ],
)
def test_masks_a_secret_in_the_wrong_place(name: str) -> None:
    for value in (
        CLIENT_SECRET,
        f"https://{CLIENT_SECRET}",
        "https://me:p4ssword@example.com",
        f"{CLIENT_SECRET[:20]} {GOOD['JWT_SECRET']}",
    ):
        report = report_text(examined(env(**{name: value})))
        assert CLIENT_SECRET not in report
        assert "p4ssword" not in report
        assert GOOD["JWT_SECRET"] not in report


@settings(max_examples=50)
@given(st.sampled_from(list(VARIABLES)), st.text(max_size=30))
def test_reports_any_value(name: str, value: str) -> None:
    text = env() + f"\n{name}={value}\nOPENID_CLIENT_SECRET={CLIENT_SECRET}"
    report = report_text(examined(text))
    report.encode()
    assert CLIENT_SECRET not in report


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("https://abc.ngrok-free.app", "ngrok"),
        ("https://my.ngrok.dev", "ngrok"),
        ("https://abc.loca.lt", "localtunnel"),
        ("https://abc.trycloudflare.com", "cloudflared"),
        ("https://localhost:3443", "this machine only"),
        ("https://chat.example.com", "own domain"),
        ("http://[", "none"),
        ("", "none"),
    ],
)
def test_tunnel_kind(url: str, kind: str) -> None:
    assert tunnel_kind(url) == kind


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("OPENID_AUDIENCE", "otter.smith+x@mail.example.com", "otter.smith"),
        ("OPENID_AUDIENCE", "https://api/otterling", "otterling"),
        ("OPENID_AUDIENCE", "postmaster-of-us", "postmaster-of-us"),
        ("HOST", "/home/otter/x", "/home/otter"),
        ("HOST", "C:\\Users\\Otter Smith\\x", "Users\\Otter"),
    ],
)
def test_masks_the_users_identity(name: str, value: str, hidden: str) -> None:
    text = env(f"EMAIL_USERNAME=postmaster-of-us\n{name}='{value}'")
    checked = subject(text, environ={"USER": "otterling"})
    assert hidden not in report_text(conclude(checked, None, diagnose(checked)))


def test_does_not_take_a_switch_or_number_for_a_user_name() -> None:
    text = env("LIMIT_MESSAGE_USER=false\nMESSAGE_USER_MAX=40\nOPENID_REUSE_TOKENS=false")
    checked = subject(text, environ={})

    assert "OPENID_REUSE_TOKENS=false" in report_text(conclude(checked, None, diagnose(checked)))


def test_masks_the_user_in_a_folder() -> None:
    checked = subject(env())
    path = Path("/Users/otter/LibreChat/.env")
    checked = checked._replace(path=path, facts=FileFacts(is_tracked=True))
    report = report_text(conclude(checked, None, diagnose(checked)))
    assert "LA158" in report
    assert "otter" not in report


def test_shows_how_librechat_runs_and_its_other_variables(tmp_path: Path) -> None:
    folder = tmp_path.resolve()
    (folder / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.7"}')
    (folder / "docker-compose.yml").write_text("services: {api: {image: 'librechat:v0.8.5'}}")
    (folder / ".env").write_text("OPENID_SCOPE=openid\nPORT=3080\n")
    secret = {"OPENID_CLIENT_SECRET": CLIENT_SECRET, "OPENID_SCOPE": "openid email"}
    process = npm(folder, environ={**secret, "MY_OWN": "1"}, started=4e9)
    world = make_world(folder, clock=FixedClock(NOW))
    ports = world.ports._replace(processes=Runs(process))
    text = run_report(folder / ".env", ports, offline=True).report

    assert "- Docker image: none" in text
    assert "- npm runs LibreChat: process 4711, started in this folder." in text
    assert "- LibreChat version: 0.8.7 (package.json)" in text
    assert "OPENID_SCOPE=openid email  # the environment of process 4711" in text
    assert "PORT=3080\n" in text
    assert "OPENID_CLIENT_SECRET=[set, " in text
    assert CLIENT_SECRET not in text
    assert "MY_OWN" not in text
