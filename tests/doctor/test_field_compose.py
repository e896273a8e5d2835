"""Problems that people reported with Docker Compose, each with a near miss."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.cases import API, BY_COMPOSE, COMPOSE, GOOD, PUBLIC_URL, env, subject
from wizard.doctor.delivered import FileFacts
from wizard.doctor.process import with_remedy
from wizard.doctor.registry import can_be_fixed, diagnose, repairs
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Severity
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.env_file import EnvFile
from wizard.librechat.permissions import Permissions
from wizard.librechat.runner import Runner, Way

OLD = "https://another-tenant.eu.auth0.com"


def found(checked: Subject) -> dict[str, Finding]:
    return {finding.rule.id: finding for finding in diagnose(checked)}


def problems(checked: Subject) -> list[tuple[str, str | None]]:
    return [
        (each.rule.id, each.variable)
        for each in diagnose(checked)
        if each.severity is not Severity.NOTE
    ]


def laid_out(folder: Path, way: Way = Way.COMPOSE, **files: str) -> Subject:
    """Return the subject of a folder with more files than `subject` has."""
    for name, text in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    env_file = folder / ".env"
    return Subject(
        path=env_file,
        file=EnvFile(files["_env"]),
        deployment=read_deployment(folder, env_file, {}),
        runner=Runner(way),
    )


def by_overrides(*environment: str) -> Subject:
    lines = "".join(f"      - {each}\n" for each in environment)
    override = f"services:\n  api:\n    environment:\n{lines}"
    return subject(env(), compose=COMPOSE, override=override)


def test_nothing_expands_a_reference_for_npm_or_a_mounted_file() -> None:
    text = env(
        "HOST_NAME=chat.example.com\nAUTH0_CLIENT=abc\n",
        OPENID_CLIENT_ID="x-1",
    ).replace("x-1", "${AUTH0_CLIENT}")
    text = text.replace(PUBLIC_URL, "https://${HOST_NAME}")
    names = ("DOMAIN_CLIENT", "DOMAIN_SERVER", "OPENID_CLIENT_ID")
    for checked in (subject(text), subject(text, compose=COMPOSE)):
        assert problems(checked) == [("LA512", name) for name in names]
        assert not any(can_be_fixed(checked, each) for each in diagnose(checked))
        assert repairs(checked)[1] == ()


def test_docker_compose_expands_a_reference_for_an_env_file() -> None:
    text = env("HOST_NAME=chat.example.com\n").replace(PUBLIC_URL, "https://${HOST_NAME}")
    checked = subject(text, compose=BY_COMPOSE)
    assert problems(checked) == []
    assert checked.value("DOMAIN_SERVER") == PUBLIC_URL


def test_docker_compose_expands_none_in_single_quotes() -> None:
    text = env("HOST_NAME=chat.example.com\n").replace(PUBLIC_URL, "'https://${HOST_NAME}'")
    finding = found(subject(text, compose=BY_COMPOSE))["LA512"]
    assert finding.fix.startswith("Remove the single quotes")


def test_keeps_a_dollar_that_is_not_a_reference() -> None:
    assert problems(subject(env(OPENID_BUTTON_LABEL="5 $ {a} $x"))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"OPENID_CLIENT_ID": "$AUTH0_CLIENT"},
        {"OPENID_CLIENT_SECRET": "$AUTH0_SECRET"},
        {"DOMAIN_CLIENT": "https://$HOST_NAME", "DOMAIN_SERVER": "https://$HOST_NAME"},
    ],
)
def test_a_reference_without_braces(changes: dict[str, str]) -> None:
    text = env("AUTH0_CLIENT=abc\nAUTH0_SECRET=def\nHOST_NAME=chat.example.com\n", **changes)
    for value in changes.values():
        text = text.replace(f"'{value}'", value)
    assert problems(subject(text)) == [("LA512", name) for name in changes]
    assert not {"LA512"} & {*found(subject(text, compose=BY_COMPOSE))}


def test_a_reference_that_the_compose_file_escapes() -> None:
    checked = by_overrides("OPENID_ISSUER=https://$${TENANT}")
    assert [each for each in problems(checked) if each[0] != "LA502"] == [
        ("LA512", "OPENID_ISSUER")
    ]
    assert "one $ instead of two" in found(checked)["LA512"].fix


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ("registration:\n  socialLogins: openid\n", "socialLogins is not a list"),
        ("registration:\n  socialLogins:\n", "socialLogins is not a list"),
        ("registration:\n  socialLogins: [openid, 1]\n", "socialLogins is not a list"),
        ("registration:\n  allowedDomains: example.com\n", "allowedDomains is not a list"),
        ("registration:\n# socialLogins: [openid]\n", "registration is not a mapping"),
        ("registration: [openid]\n", "registration is not a mapping"),
        ("socialLogins: [openid]\n", "socialLogins belongs under registration"),
    ],
)
def test_a_registration_that_librechat_refuses(config: str, reason: str) -> None:
    checked = subject(env(), yaml=f"version: 1.3.0\n{config}")
    assert problems(checked) == [("LA500", None)]
    assert reason in found(checked)["LA500"].detail


def test_a_registration_that_librechat_accepts() -> None:
    for config in ("", "registration: {}", "registration: {socialLogins: [openid, github]}"):
        assert problems(subject(env(), yaml=f"version: 1.3.0\n{config}\n")) == []


def test_an_image_that_has_its_configuration_file(tmp_path: Path) -> None:
    compose = "services:\n  api:\n    build: .\n    env_file: .env\n    ports: ['3080:3080']\n"
    config = "version: 1.3.0\n"
    checked = laid_out(tmp_path, _env=env(), compose_yaml=compose, librechat_yaml=config)
    (tmp_path / "Dockerfile").write_text("FROM librechat\nCOPY uploads /app/uploads\n")
    assert problems(checked) == [("LA505", None)]
    (tmp_path / "Dockerfile").write_text("FROM librechat\nCOPY librechat.yaml /app/\n")
    assert problems(checked) == []


PASSED_ON = ("OPENID_CLIENT_ID", "OPENID_SCOPE", "DOMAIN_CLIENT", "DOMAIN_SERVER")


def test_repairs_only_what_docker_compose_passes_on() -> None:
    references = "".join(f"      {name}: ${{{name}}}\n" for name in PASSED_ON)
    compose = f"{API}    environment:\n{references}"
    checked = subject(env(OPENID_SCOPE="openid,email"), compose=compose)
    assert {"LA101", "LA105", "LA121"} <= {*found(checked)}
    after, changes = repairs(checked)
    assert [change.name for change in changes] == ["OPENID_SCOPE"]
    assert "LA121" not in found(subject(after.text, compose=compose))
    missing = next(each for each in diagnose(checked) if each.rule.id == "LA101")
    assert with_remedy(missing, checked).fix == (
        f"Add {missing.variable} to environment of api in docker-compose.yml, or pass on the whole"
        " file there (env_file: .env)."
    )


def test_a_repaired_value_has_no_comment() -> None:
    text = env().replace("OPENID_CALLBACK_URL=", "OPENID_CALLBACK_URL=/oauth/openid/callback\t# ")
    checked = subject(text, compose=BY_COMPOSE)
    assert "LA174" in found(checked)
    after, _ = repairs(checked)
    assert subject(after.text, compose=BY_COMPOSE).value("OPENID_CALLBACK_URL") == (
        "/oauth/openid/callback"
    )


RAW = f"{API}    env_file:\n      - path: .env\n        format: raw\n"


@pytest.mark.parametrize("quote", ["'", '"'])
def test_a_raw_env_file_keeps_quotes(quote: str) -> None:
    scope = GOOD["OPENID_SCOPE"]
    plain = env().replace("'", "")
    assert problems(subject(plain, compose=RAW)) == []
    checked = subject(plain.replace(scope, f"{quote}{scope}{quote}"), compose=RAW)
    assert checked.value("OPENID_SCOPE") == f"{quote}{scope}{quote}"
    assert problems(checked) == [("LA511", "OPENID_SCOPE")]


def test_docker_compose_keeps_backticks() -> None:
    scope = GOOD["OPENID_SCOPE"]
    text = env().replace(f"'{scope}'", f"`{scope}`")
    checked = subject(text, compose=BY_COMPOSE)
    assert [each for each in problems(checked) if each[0] != "LA151"] == [("LA511", "OPENID_SCOPE")]
    repaired, _ = repairs(checked)
    assert repaired.text == env()
    assert found(subject(text, compose=COMPOSE))["LA151"].detail.endswith(" has a `.")


@pytest.mark.parametrize("raw", ["abc#def", "abc\t# a note"])
def test_docker_compose_cuts_no_value_at_a_hash(raw: str) -> None:
    text = env(OPENID_BUTTON_LABEL=None) + f"\nOPENID_BUTTON_LABEL={raw}\n"
    assert "LA154" in found(subject(text, compose=COMPOSE))
    assert "LA154" not in found(subject(text, compose=BY_COMPOSE))


def test_a_second_env_file_wins(tmp_path: Path) -> None:
    compose = f"{API}    env_file: [.env, mine.env]\n"
    checked = laid_out(
        tmp_path,
        _env=env(),
        compose_yaml=compose,
        mine_env=f"OPENID_ISSUER={OLD}\n\nDOMAIN_SERVER=http://localhost:3080\n",
    )
    overridden = [each for each in diagnose(checked) if each.rule.id == "LA502"]
    assert {each.variable for each in overridden} == {"OPENID_ISSUER", "DOMAIN_SERVER"}
    assert any(f"mine.env, line 1: OPENID_ISSUER={OLD}" in each.detail for each in overridden)
    assert "Remove OPENID_ISSUER from mine.env" in " ".join(each.fix for each in overridden)


def test_a_second_env_file_that_comes_first_or_has_the_same_value(tmp_path: Path) -> None:
    for number, (files, text) in enumerate(
        [("[mine.env, .env]", f"OPENID_ISSUER={OLD}\n"), ("[.env, mine.env]", "PORT=3080\n")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        compose = f"{API}    env_file: {files}\n"
        assert problems(laid_out(folder, _env=env(), compose_yaml=compose, mine_env=text)) == []


def test_another_env_file_only(tmp_path: Path) -> None:
    compose = f"{API}    env_file: stack.env\n"
    checked = laid_out(tmp_path, _env=env(), compose_yaml=compose, stack_env=env())
    assert "api reads stack.env, not this file" in found(checked)["LA501"].detail
    assert "--env-file" in found(checked)["LA501"].fix


def test_the_env_file_of_a_stack_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(f"{API}    env_file: stack.env\n")
    (tmp_path / "stack.env").write_text(env())
    path = tmp_path / "stack.env"
    checked = Subject(
        path,
        EnvFile(env()),
        deployment=read_deployment(tmp_path, path, {}),
        runner=Runner(Way.COMPOSE),
    )
    assert problems(checked) == []


def test_a_mount_where_librechat_does_not_look() -> None:
    checked = subject(env(), compose=f"{API}    volumes: ['./.env:/app/api/.env']\n")
    finding = found(checked)["LA501"]
    assert "api mounts it at /app/api/.env; LibreChat reads /app/.env." in finding.detail
    assert "Change /app/api/.env to /app/.env" in finding.fix
    assert problems(checked) == [("LA501", None)]


def test_a_mount_where_the_image_of_several_stages_looks() -> None:
    api = API.replace("librechat-dev", "librechat-dev-api")
    assert problems(subject(env(), compose=f"{api}    volumes: ['./.env:/app/api/.env']\n")) == []


def test_another_file_mounted_in_its_place(tmp_path: Path) -> None:
    compose = f"{API}    volumes: ['./production.env:/app/.env']\n"
    bare = laid_out(tmp_path, _env=env(), compose_yaml=compose, production_env="PORT=3080\n")
    assert "api reads production.env, not this file" in found(bare)["LA501"].detail


@pytest.mark.parametrize("name", ["chat", "librechat", "web"])
def test_a_service_of_another_name(name: str) -> None:
    service = COMPOSE.replace("  api:", f"  {name}:")
    environment = (
        f"    environment:\n      OPENID_ISSUER: {OLD}\n      ALLOW_SOCIAL_LOGIN: 'false'\n"
    )
    checked = subject(env(), compose=service + environment)
    assert ("LA100", "ALLOW_SOCIAL_LOGIN") in problems(checked)
    assert ("LA502", "OPENID_ISSUER") in problems(checked)
    assert "docker-compose.yml, line 10" in found(checked)["LA100"].detail


def test_the_same_in_another_service() -> None:
    other = "  other:\n    image: node\n    environment: {ALLOW_SOCIAL_LOGIN: 'false'}\n"
    assert problems(subject(env(), compose=COMPOSE + other)) == []


def test_a_compose_file_that_only_includes(tmp_path: Path) -> None:
    inner = COMPOSE + "    environment: [ALLOW_SOCIAL_LOGIN=false]\n"
    checked = laid_out(tmp_path, _env=env(), compose_yaml="include: [chat.yaml]\n", chat_yaml=inner)
    assert [each for each, _ in problems(checked)] == ["LA100", "LA502"]
    assert "chat.yaml, line 8: ALLOW_SOCIAL_LOGIN=false" in found(checked)["LA502"].detail
    (tmp_path / "chat.yaml").write_text(COMPOSE)
    assert problems(laid_out(tmp_path, _env=env(), compose_yaml="include: [chat.yaml]\n")) == []


@pytest.mark.parametrize("tag", ["!override", "!reset"])
def test_composes_own_tags(tag: str) -> None:
    override = (
        f"services:\n  api:\n    ports: {tag} ['8080:3080']\n"
        "    environment:\n      - ALLOW_SOCIAL_LOGIN=false\n"
    )
    checked = subject(env(), compose=COMPOSE, override=override)
    assert "LA500" not in found(checked)
    assert "LA100" in found(checked)


def test_ignores_what_a_tag_removes() -> None:
    compose = COMPOSE + "    environment:\n      ALLOW_SOCIAL_LOGIN: 'false'\n"
    override = "services:\n  api:\n    environment: !reset {}\n"
    assert problems(subject(env(), compose=compose)) != []
    assert problems(subject(env(), compose=compose, override=override)) == []


def test_config_path_leads_to_another_configuration(tmp_path: Path) -> None:
    (tmp_path / "librechat.yaml").write_text("registration: {socialLogins: [openid]}\n")
    text = env(CONFIG_PATH="./settings/chat.yaml")
    hidden = "registration:\n  socialLogins: [google]\n"
    checked = laid_out(tmp_path, Way.NPM, _env=text, settings__chat_yaml=hidden)
    assert problems(checked) == [("LA504", None)]
    assert "./settings/chat.yaml: registration.socialLogins has google" in (
        found(checked)["LA504"].detail
    )


def test_does_not_read_the_default_configuration_with_config_path(tmp_path: Path) -> None:
    (tmp_path / "librechat.yaml").write_text("registration: {socialLogins: [google]}\n")
    text = env(CONFIG_PATH="settings/chat.yaml")
    checked = laid_out(tmp_path, Way.NPM, _env=text, settings__chat_yaml="version: 1.3.0\n")
    assert problems(checked) == []


def test_config_path_in_a_container(tmp_path: Path) -> None:
    text = env(CONFIG_PATH="/app/settings/chat.yaml")
    hidden = "registration:\n  socialLogins: []\n"
    mounted = COMPOSE + "      - ./settings:/app/settings\n"
    checked = laid_out(tmp_path, _env=text, compose_yaml=mounted, settings__chat_yaml=hidden)
    assert problems(checked) == [("LA504", None)]
    checked = laid_out(tmp_path, _env=text, compose_yaml=COMPOSE)
    assert problems(checked) == [("LA513", "CONFIG_PATH")]
    assert "There is no file /app/settings/chat.yaml." in found(checked)["LA513"].detail


def test_reports_quotes_in_a_compose_list_but_not_their_consequences() -> None:
    checked = by_overrides('OPENID_SCOPE="openid profile email offline_access"')
    assert problems(checked) == [("LA511", "OPENID_SCOPE")]
    assert '- "OPENID_SCOPE=value"' in found(checked)["LA511"].fix


def test_quotes_around_the_entry() -> None:
    checked = by_overrides('"OPENID_SCOPE=openid profile email offline_access"')
    assert problems(checked) == []


@pytest.mark.parametrize(
    "line",
    [
        f"  - OPENID_CLIENT_ID={GOOD['OPENID_CLIENT_ID']}",
        '{\n  "type": "service_account"\n}',
        "do not forget to ask the others?",
    ],
)
def test_a_line_that_docker_compose_refuses(line: str) -> None:
    text = env(line)
    number = text[: text.index(line)].count("\n") + 1
    finding = found(subject(text, compose=COMPOSE))["LA510"]
    assert f"Line {number}:" in finding.detail
    assert "LA510" not in found(subject(text))


def test_names_what_librechat_does_not_see() -> None:
    text = env(OPENID_ISSUER=None) + f"- OPENID_ISSUER={GOOD['OPENID_ISSUER']}\n"
    assert "Line" in found(subject(text, compose=COMPOSE))["LA101"].detail


def test_an_explicit_user() -> None:
    override = 'services:\n  api:\n    user: "1007:1007"\n'
    root = FileFacts(Permissions(0, 0, 0o600))
    own = FileFacts(Permissions(1007, 0, 0o600))
    assert problems(subject(env(), compose=COMPOSE, override=override, facts=root)) == [
        ("LA506", "UID")
    ]
    assert problems(subject(env(), compose=COMPOSE, override=override, facts=own)) == []


def test_names_that_are_passed_on() -> None:
    assert problems(by_overrides("ALLOW_SOCIAL_LOGIN", "OPENID_ISSUER", "HOST=0.0.0.0")) == []


def test_a_name_that_the_shell_passes_on_with_another_value() -> None:
    override = "services:\n  api:\n    environment: [OPENID_ISSUER]\n"
    checked = subject(env(), compose=COMPOSE, override=override, environ={"OPENID_ISSUER": OLD})
    assert ("LA182", "OPENID_ISSUER") in problems(checked)
    assert checked.value("OPENID_ISSUER") == OLD


def test_names_what_compose_does_not_pass_on() -> None:
    passed = "".join(f"      - {name}\n" for name in GOOD if name != "DOMAIN_CLIENT")
    checked = subject(env(), compose=f"{API}    environment:\n{passed}")
    assert problems(checked) == [("LA122", "DOMAIN_CLIENT")]
    assert "Docker Compose does not pass it on" in found(checked)["LA122"].detail
    assert not can_be_fixed(checked, found(checked)["LA122"])


# Sources: LibreChat's files, Portainer, ClickHouse/agentic-data-stack, Helm, Coolify, Railway.
SHAPES = {
    "npm with unused Compose files": ({"_env": env(), "compose_yaml": COMPOSE}, Way.NPM),
    "LibreChat's docker-compose.yml": ({"_env": env(), "docker-compose_yml": COMPOSE}, Way.COMPOSE),
    "LibreChat's deploy-compose.yml": (
        {"_env": env(), "deploy-compose_yml": BY_COMPOSE.replace("-dev", "-dev-api")},
        Way.COMPOSE,
    ),
    "a service of another name": (
        {"_env": env(), "compose_yaml": COMPOSE.replace(" api:", " chat:")},
        Way.COMPOSE,
    ),
    "the folder itself mounted": (
        {"_env": env(), "compose_yaml": f"{API}    volumes: ['.:/app']\n"},
        Way.COMPOSE,
    ),
    "a custom build": (
        {
            "_env": env(),
            "compose_yaml": "services:\n  web:\n    build: .\n    ports: ['80:3080']\n"
            "    env_file: [{path: .env, required: true}]\n",
        },
        Way.COMPOSE,
    ),
    "include": (
        {"_env": env(), "compose_yaml": "include: [{path: [inner.yaml]}]\n", "inner_yaml": COMPOSE},
        Way.COMPOSE,
    ),
    "extends": (
        {
            "_env": env(),
            "compose_yaml": "services: {web: {extends: {service: api, file: base.yaml}}}\n",
            "base_yaml": COMPOSE,
        },
        Way.COMPOSE,
    ),
    "an anchor": (
        {
            "_env": env(),
            "compose_yaml": "x-env: &env {HOST: 0.0.0.0}\n"
            + COMPOSE
            + "    environment: {<<: *env, MONGO_URI: 'mongodb://db/x'}\n",
        },
        Way.COMPOSE,
    ),
    "a profile": (
        {"_env": env(), "compose_yaml": COMPOSE + "    profiles: [all]\n"},
        Way.COMPOSE,
    ),
    "environment only, by references": (
        {
            "_env": env(),
            "compose_yaml": f"{API}    environment:\n"
            + "".join(f"      {name}: ${{{name}}}\n" for name in GOOD),
        },
        Way.COMPOSE,
    ),
    "environment only, by names": (
        {
            "_env": env(),
            "compose_yaml": f"{API}    environment:\n"
            + "".join(f"      - {name}\n" for name in GOOD),
        },
        Way.COMPOSE,
    ),
    "environment only, by values": (
        {
            "_env": env(),
            "compose_yaml": f"{API}    environment:\n"
            + "".join(f"      {name}: '{value}'\n" for name, value in GOOD.items()),
        },
        Way.COMPOSE,
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_finds_no_problem_in_a_correct_folder(tmp_path: Path, shape: str) -> None:
    files, way = SHAPES[shape]
    checked = laid_out(tmp_path, way, **files)
    assert problems(checked) == []
    assert checked.value("OPENID_ISSUER") == GOOD["OPENID_ISSUER"]


def test_findings_name_their_place() -> None:
    checked = by_overrides("OPENID_BUTTON_LABEL=Log in")
    assert checked.seen("OPENID_BUTTON_LABEL") == (
        "docker-compose.override.yml, line 4: OPENID_BUTTON_LABEL=Log in"
    )
    assert checked.seen("PORT") == f"Line {checked.line_of('PORT')}: PORT=3080"
    assert checked.environment["PORT"].where == ".env"
