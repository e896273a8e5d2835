from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dotenv import dotenv_values

from tests.fakes import ScriptedPrompter, make_world
from wizard.commands.init import run_init
from wizard.findings import ExitCode, Failure
from wizard.known import Known
from wizard.ports import Ports
from wizard.saved_answers import SavedAnswers
from wizard.steps.init_progress import InitResult, Progress, Step, walk
from wizard.steps.options import InitOptions
from wizard.ui.prompts import Back

CLIENT_ID = "abcdefghijklmnopqrstuvwxyz012345"
SECRET = "a-secret-that-nobody-may-see_0123456789"
EXAMPLE = """\
# LibreChat
HOST=localhost
PORT=3080
MONGO_URI=mongodb://127.0.0.1:27017/LibreChat
DOMAIN_CLIENT=http://localhost:3080
DOMAIN_SERVER=http://localhost:3080
CREDS_KEY=
CREDS_IV=
ALLOW_SOCIAL_LOGIN=false
JWT_SECRET=
JWT_REFRESH_SECRET=
# OpenID
OPENID_CLIENT_ID=
OPENID_CLIENT_SECRET=
OPENID_ISSUER=
OPENID_SESSION_SECRET=
OPENID_SCOPE="openid profile email"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "LibreChat"
    folder.mkdir()
    (folder / ".env.example").write_text(EXAMPLE)
    return folder


def options(**changed: Any) -> InitOptions:
    given = {
        "domain": "dev-abc.us.auth0.com",
        "client_id": CLIENT_ID,
        "client_secret": SECRET,
        "audience": "https://api.librechat.ai",
        "public_url": "https://chat.example.com",
        "allow_anybody": True,
        "offline": True,
        "yes": True,
    }
    return InitOptions(**{**given, **changed})


def init(folder: Path, chosen: InitOptions, *script: tuple[str, object]) -> tuple[InitResult, str]:
    prompter = ScriptedPrompter(*script) if script else None
    world = make_world(folder, prompter=prompter)
    result = run_init(chosen, world.ports, lambda _: None)
    if prompter is not None:
        prompter.verify()
    return result, world.said


def read(folder: Path) -> dict[str, str | None]:
    return dotenv_values(folder / ".env", interpolate=False)


def test_a_new_file_has_everything_the_sign_in_needs(checkout: Path) -> None:
    result, _ = init(checkout, options())

    values = read(checkout)
    assert result.exit_code is ExitCode.OK
    assert values["OPENID_ISSUER"] == "https://dev-abc.us.auth0.com"
    assert values["OPENID_CLIENT_SECRET"] == SECRET
    assert values["OPENID_SCOPE"] == "openid profile email offline_access"
    assert values["OPENID_AUDIENCE"] == values["OPENID_REFRESH_AUDIENCE"]
    assert values["DOMAIN_CLIENT"] == values["DOMAIN_SERVER"] == "https://chat.example.com"
    assert len(values["OPENID_SESSION_SECRET"] or "") == 64
    assert len(values["CREDS_KEY"] or "") == 64
    assert len(values["CREDS_IV"] or "") == 32
    assert (checkout / ".env").stat().st_mode & 0o777 == 0o600


def test_the_second_run_changes_nothing(checkout: Path) -> None:
    init(checkout, options())
    before = (checkout / ".env").stat()

    result, said = init(checkout, options())

    after = (checkout / ".env").stat()
    assert not result.changed
    assert (before.st_mtime_ns, before.st_ino) == (after.st_mtime_ns, after.st_ino)
    assert "is already up to date" in said


def test_another_application_does_not_get_the_secret_of_the_env(checkout: Path) -> None:
    init(checkout, options())
    init(checkout, options(client_secret=""))

    with pytest.raises(Failure) as caught:
        init(checkout, options(client_id=CLIENT_ID[::-1], client_secret=""))

    assert "--client-secret-file" in caught.value.finding.detail
    assert read(checkout)["OPENID_CLIENT_ID"] == CLIENT_ID


def test_back_does_not_go_behind_a_final_step(checkout: Path) -> None:
    ran: list[str] = []

    def step(name: str) -> Callable[[Progress, Ports], Progress]:
        def run(progress: Progress, ports: Ports) -> Progress:
            ran.append(name)
            if name == "question" and ports.prompter:
                ports.prompter.confirm("Go on?")
            if name == "end" and ran.count("end") == 1:
                raise Back
            return progress

        return run

    steps = (Step("", step("question")), Step("", step("write"), is_final=True))
    world = make_world(checkout, prompter=ScriptedPrompter(("Go on?", True)))
    progress = cast(Progress, SimpleNamespace(is_over=False))
    assert [*walk((*steps, Step("", step("end"))), progress, world.ports)]

    assert ran == ["question", "write", "end", "end"]


def test_writes_no_api_and_no_offline_access_without_token_reuse(checkout: Path) -> None:
    init(checkout, options(reuse_tokens=False, audience=""))

    values = read(checkout)
    assert values["OPENID_REUSE_TOKENS"] == "false"
    assert values["OPENID_SCOPE"] == "openid profile email"
    assert not values.get("OPENID_AUDIENCE")


def test_a_scripted_run_uses_the_values_of_an_existing_file(checkout: Path) -> None:
    init(checkout, options())

    result, _ = init(checkout, InitOptions(offline=True, yes=True))

    assert not result.changed
    assert result.settings.public_url == "https://chat.example.com"


def test_a_scripted_run_names_every_option_that_is_missing(checkout: Path) -> None:
    with pytest.raises(Failure) as failure:
        init(checkout, InitOptions(offline=True))

    assert failure.value.exit_code is ExitCode.USAGE
    for name in ("--domain", "--client-id", "--client-secret-file", "--audience", "--yes"):
        assert name in failure.value.finding.detail
    assert not (checkout / ".env").exists()


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("domain", "http://dev.us.auth0.com", "--domain"),
        ("client_id", "two words", "--client-id"),
        ("client_secret", "••••••••", "AUTH0_CLIENT_SECRET"),
        ("client_secret", CLIENT_ID, "AUTH0_CLIENT_SECRET"),
        ("domain", "your-tenant.us.auth0.com", "--domain"),
        ("audience", "https://dev-abc.us.auth0.com/api/v2/", "--audience"),
        ("audience", SECRET, "--audience: That is the Client Secret again."),
        ("audience", CLIENT_ID, "--audience: That is the Client ID again."),
        ("client_id", "https://api.librechat.ai", "--client-id"),
        ("public_url", "https://your-domain.ngrok.app", "--public-url"),
        ("public_url", "https://localhost:3080/", "listens on port 3080, without HTTPS"),
        ("public_url", "http://localhost:3080", "--public-url"),
        ("port", "99999", "--port"),
        ("tunnel", "carrier-pigeon", "--tunnel"),
    ],
)
def test_names_an_invalid_option(checkout: Path, name: str, value: str, named: str) -> None:
    changed = {name: value} | ({"public_url": ""} if name == "tunnel" else {})
    with pytest.raises(Failure) as failure:
        init(checkout, options(**changed))

    assert failure.value.exit_code is ExitCode.USAGE
    assert named in failure.value.finding.detail
    assert not (checkout / ".env").exists()


@pytest.mark.parametrize(
    "content", [f"\ufeff{SECRET}\r\n", f'OPENID_CLIENT_SECRET="{SECRET}"\n', f"“{SECRET}”,"]
)
def test_does_not_write_what_was_copied_with_the_values(checkout: Path, content: str) -> None:
    file = checkout.parent / "secret"
    file.write_text(content, "utf-8")

    init(
        checkout,
        options(
            client_secret="",
            client_secret_file=str(file),
            domain="“https://dev-abc.us.auth0.com/”",
            client_id=f"'{CLIENT_ID}';",
            audience='OPENID_AUDIENCE="https://api.librechat.ai"',
        ),
    )

    values = read(checkout)
    assert values["OPENID_CLIENT_SECRET"] == SECRET
    assert values["OPENID_ISSUER"] == "https://dev-abc.us.auth0.com"
    assert values["OPENID_CLIENT_ID"] == CLIENT_ID
    assert values["OPENID_AUDIENCE"] == "https://api.librechat.ai"


@pytest.mark.parametrize(
    "wrong", [InitOptions(tunnel="carrier-pigeon"), InitOptions(public_url="http://localhost:3080")]
)
def test_reports_invalid_before_missing_options(checkout: Path, wrong: InitOptions) -> None:
    with pytest.raises(Failure) as failure:
        init(checkout, wrong)

    assert failure.value.finding.rule.id in {"LA003", "LA006"}


def test_dry_run_writes_nothing(checkout: Path) -> None:
    result, said = init(checkout, options(dry_run=True))

    assert "OPENID_ISSUER=https://dev-abc.us.auth0.com" in said
    assert "OPENID_ISSUER" in result.changed
    assert not result.written
    assert [path.name for path in checkout.iterdir()] == [".env.example"]


def test_dry_run_ends_when_there_is_nothing_to_write(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    init(checkout, options())
    monkeypatch.setattr(
        "wizard.commands.init.keep_open", lambda *_: pytest.fail("the tunnel is held open")
    )

    result, _ = init(checkout, options(dry_run=True, hold=True))

    assert result.is_up_to_date


def test_prints_no_secret(checkout: Path) -> None:
    _, said = init(checkout, options())

    values = read(checkout)
    for name in ("OPENID_CLIENT_SECRET", "OPENID_SESSION_SECRET", "CREDS_KEY", "JWT_SECRET"):
        assert values[name]
        assert (values[name] or "") not in said


def test_json_holds_names_but_no_values(checkout: Path) -> None:
    result, _ = init(checkout, options())

    shown = result.as_json()
    assert shown["callback_url"] == "https://chat.example.com/oauth/openid/callback"
    assert shown["logout_urls"] == ["https://chat.example.com/login", "https://chat.example.com"]
    assert shown["web_origins"] == ["https://chat.example.com"]
    assert shown["env_file"] == str(checkout / ".env")
    assert shown["backup"] is None
    assert SECRET not in str(shown)


def test_backs_up_an_existing_file_and_changes_only_our_lines(checkout: Path) -> None:
    before = EXAMPLE + "MY_OWN='as it was'   # and stays\n"
    (checkout / ".env").write_text(before)

    result, _ = init(checkout, options())

    assert result.backup is not None
    assert result.backup.read_text() == before
    assert result.backup.stat().st_mode & 0o777 == 0o600
    assert "MY_OWN='as it was'   # and stays\n" in (checkout / ".env").read_text()
    assert read(checkout)["CREDS_KEY"] == ""
    assert {finding.rule.id for finding in result.findings} == {"LA161"}


INTERVIEW: tuple[tuple[str, object], ...] = (
    ("Domain", "dev-abc.us.auth0.com"),
    ("Client ID", CLIENT_ID),
    ("Client Secret", SECRET),
    ("Its URLs", "done"),
    ("The API", "done"),
    ("Write these changes?", True),
)


def test_the_interview(checkout: Path) -> None:
    result, said = init(
        checkout,
        InitOptions(offline=True, public_url="https://chat.example.com", allow_anybody=True),
        *INTERVIEW,
    )

    assert result.written
    assert read(checkout)["OPENID_AUDIENCE"] == "https://api.librechat.ai"
    for step in range(1, 6):
        assert f"Step {step} of 5" in said
    assert "https://chat.example.com/oauth/openid/callback" in said


def test_explains_an_invalid_answer_and_asks_again(checkout: Path) -> None:
    prompter = ScriptedPrompter(
        ("Domain", "http://dev-abc.us.auth0.com"),
        *INTERVIEW[:2],
        ("Client Secret", CLIENT_ID),
        *INTERVIEW[2:],
    )
    world = make_world(checkout, prompter=prompter)

    run_init(
        InitOptions(offline=True, public_url="https://chat.example.com", allow_anybody=True),
        world.ports,
        lambda _: None,
    )

    prompter.verify()
    assert "http://" in prompter.refusals[0]
    assert "Client ID again" in prompter.refusals[1]


def test_ctrl_c_changes_nothing_and_the_next_run_continues(checkout: Path) -> None:
    chosen = InitOptions(offline=True, public_url="https://chat.example.com", allow_anybody=True)
    with pytest.raises(Failure) as stopped:
        init(checkout, chosen, *INTERVIEW[:2], ("Client Secret", KeyboardInterrupt))
    assert stopped.value.exit_code is ExitCode.INTERRUPTED
    assert "Nothing was changed" in stopped.value.finding.detail
    assert not (checkout / ".env").exists()

    prompter = ScriptedPrompter(
        ("Resume it?", True),
        *INTERVIEW[2:],
    )
    world = make_world(checkout, prompter=prompter)
    result = run_init(chosen, world.ports, lambda _: None)

    assert result.settings.client_id == CLIENT_ID
    assert SavedAnswers(world.ports.state_dir, checkout / ".env").load() == Known()


def test_no_draft_holds_the_secret(checkout: Path, tmp_path: Path) -> None:
    with pytest.raises(Failure):
        init(
            checkout,
            InitOptions(offline=True, public_url="https://chat.example.com", allow_anybody=True),
            *INTERVIEW[:3],
            ("Its URLs", KeyboardInterrupt),
        )

    kept = [path.read_text() for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert any(CLIENT_ID in text for text in kept)
    assert not any(SECRET in text for text in kept)


def test_writes_nothing_after_a_no(checkout: Path) -> None:
    chosen = InitOptions(offline=True, public_url="https://chat.example.com", allow_anybody=True)
    result, _ = init(checkout, chosen, *INTERVIEW[:-1], ("Write these changes?", False))

    assert not result.written
    assert not (checkout / ".env").exists()


def test_enter_keeps_the_secret_in_the_file(checkout: Path) -> None:
    init(checkout, options())

    result, _ = init(
        checkout,
        InitOptions(offline=True, public_url="https://chat.example.com", allow_anybody=True),
        ("Domain", None),
        ("Client ID", None),
        ("Client Secret", ""),
        ("Its URLs", "done"),
        ("The API", "done"),
    )

    assert not result.changed


def test_a_secret_from_a_file(checkout: Path, tmp_path: Path) -> None:
    secret_file = tmp_path / "secret"
    secret_file.write_text(SECRET + "\n")

    init(checkout, options(client_secret="", client_secret_file=str(secret_file)))

    assert read(checkout)["OPENID_CLIENT_SECRET"] == SECRET


def test_reports_a_missing_secret_file(checkout: Path) -> None:
    with pytest.raises(Failure) as failure:
        init(checkout, options(client_secret="", client_secret_file="/nowhere"))

    assert failure.value.exit_code is ExitCode.FILE


def test_warns_about_a_folder_without_librechat(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()

    result, _ = init(folder, options())

    assert [finding.rule.id for finding in result.findings] == ["LA007"]
    assert read(folder)["MONGO_URI"]


def test_the_port_of_the_file_is_the_default(checkout: Path) -> None:
    (checkout / ".env").write_text("PORT=3090\n")
    world = make_world(checkout)
    seen: list[InitResult] = []

    run_init(options(), world.ports, lambda result: seen.append(result))  # type: ignore[arg-type]

    assert read(checkout)["PORT"] == "3090"
    assert seen[0].written


# -- lines that a change removes ------------------------------------------------------------------

SPANNING = (
    'PORT=3080\nDOMAIN_CLIENT="https://localhost:3443\nMISTRAL_API_KEY=sk-of-the-user\n'
    'GREETING=hello"\nOPENID_CLIENT_SECRET:\nOF_THE_USER=5678\nLAST=1\n'
)


def test_a_scripted_run_removes_no_line_inside_another_value(checkout: Path) -> None:
    (checkout / ".env").write_text(SPANNING)

    with pytest.raises(Failure) as caught:
        init(checkout, options())

    finding = caught.value.finding
    assert caught.value.exit_code is ExitCode.FILE
    assert "DOMAIN_CLIENT is on lines 2 to 4." in finding.detail
    assert "OPENID_CLIENT_SECRET is on lines 5 to 6." in finding.detail
    assert (checkout / ".env").read_text() == SPANNING


@pytest.mark.parametrize("answer", [True, False, None])
def test_shows_every_line_before_removing_it(checkout: Path, answer: bool | None) -> None:
    (checkout / ".env").write_text(SPANNING)
    script: list[tuple[str, object]] = [("Remove all of these lines?", answer)]
    if answer:
        script.append(("Write these changes?", True))

    result, said = init(checkout, options(yes=False), *script)

    for line in (
        '2 - DOMAIN_CLIENT="https://localhost:3443',
        "3 - MISTRAL_API_KEY=••••••••",
        '4 - GREETING=hello"',
        "5 - OPENID_CLIENT_SECRET:",
        "6 - OF_THE_USER=••••••••",
    ):
        assert line in said
    assert result.written is bool(answer)
    text = (checkout / ".env").read_text()
    assert text == SPANNING if not answer else "MISTRAL_API_KEY" not in text


def of_version(checkout: Path, version: str) -> Path:
    """Make the checkout one of this LibreChat version, run by npm."""
    package = {"name": "LibreChat", "version": f"v{version}"}
    (checkout / "package.json").write_text(json.dumps(package))
    return checkout


def rules(result: InitResult) -> set[str]:
    return {finding.rule.id for finding in result.findings}


class TestVersions:
    @pytest.mark.parametrize("version", ["0.7.9", "0.8.0"])
    def test_keeps_token_reuse_off_where_it_cannot_work(self, version: str, checkout: Path) -> None:
        result, said = init(of_version(checkout, version), options())

        values = read(checkout)
        assert values["OPENID_REUSE_TOKENS"] == "false"
        assert values["OPENID_SCOPE"] == "openid profile email"
        assert "OPENID_AUDIENCE" not in values
        assert rules(result) >= {"LA173"}
        assert result.exit_code is ExitCode.OK
        assert version in said

    def test_warns_when_it_is_enabled_anyway(self, checkout: Path) -> None:
        folder = of_version(checkout, "0.7.9")

        result, said = init(folder, options(insists_on_reuse=True))

        assert read(checkout)["OPENID_REUSE_TOKENS"] == "true"
        assert "LA146" in rules(result)
        assert "reloads endlessly" in said
        assert result.exit_code is ExitCode.OK

    def test_rejects_it_for_versions_that_do_not_read_it(self, checkout: Path) -> None:
        result, _ = init(of_version(checkout, "0.7.8"), options(insists_on_reuse=True))

        assert "OPENID_REUSE_TOKENS" not in read(checkout)
        assert "LA173" in rules(result)

    def test_names_a_known_fault(self, checkout: Path) -> None:
        result, _ = init(of_version(checkout, "0.8.2"), options())

        assert read(checkout)["OPENID_REUSE_TOKENS"] == "true"
        assert "OPENID_REFRESH_AUDIENCE" not in read(checkout)
        assert "LA146" in rules(result)

    def test_rejects_a_client_without_a_secret(self, checkout: Path) -> None:
        folder = of_version(checkout, "0.8.5")

        result, said = init(folder, options(client_secret="", public_client=True))

        assert "LA104" in rules(result)
        assert said.endswith("Nothing was written.\n  Use --force to write anyway.\n")
        assert result.exit_code is ExitCode.FINDINGS
        assert not (checkout / ".env").exists()

    def test_the_version_that_compose_runs_is_unknown(self, checkout: Path) -> None:
        compose = "services:\n  api:\n    image: librechat-dev:latest\n"
        (of_version(checkout, "0.7.9") / "docker-compose.yml").write_text(compose)

        result, _ = init(checkout, options())

        assert read(checkout)["OPENID_REUSE_TOKENS"] == "true"
        assert rules(result).isdisjoint({"LA146", "LA173"})


def test_names_what_is_left_to_the_user(checkout: Path) -> None:
    published = "CREDS_IV=e2341419ec3dd3d19b13a1a87fafcbfb"
    (checkout / ".env").write_text(f"CREDS_KEY=abc\n{published}\nMONGO_URI=mongodb://db/x\n")

    result, said = init(checkout, options())

    left = next(each for each in result.findings if each.rule.id == "LA191")
    assert "LA162 CREDS_KEY" in left.detail
    assert "LA160" in rules(result)
    assert "LA160" not in left.detail  # it has a finding of its own
    assert "OPENID" not in left.detail
    assert left.detail in said
    assert result.exit_code is ExitCode.OK


def test_leaves_nothing_to_the_user_with_a_new_file(checkout: Path) -> None:
    result, _ = init(checkout, options())

    assert "LA191" not in rules(result)
