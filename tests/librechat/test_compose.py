"""A folder's Docker Compose project: LibreChat's service, and its container's variables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from wizard.librechat.checkout import Checkout
from wizard.librechat.compose.deployment import Deployment, read_deployment
from wizard.librechat.compose.model import Mount, Service
from wizard.librechat.compose.text import ComposeError, interpolated, read_env_file
from wizard.librechat.env_file import EnvFile
from wizard.librechat.environment import Origin, Setting
from wizard.librechat.permissions import Reader
from wizard.librechat.runner import Evidence, judge
from wizard.system.processes import Completed

IMAGE = "registry.librechat.ai/danny-avila/librechat-dev:latest"
MAIN = f"""
services:
  rag_api:
    image: registry.librechat.ai/danny-avila/librechat-rag-api-dev-lite:latest
    env_file: [.env]
  chat:
    image: {IMAGE}
    ports: ["${{PORT}}:${{PORT}}"]
    volumes:
      - {{type: bind, source: ./.env, target: /app/.env}}
    environment:
      - HOST=0.0.0.0
      - PASSED_ON
"""


def lay_out(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / name.replace("__", "/").replace("_", ".")).write_text(text)
    return folder


def read(folder: Path, environ: Mapping[str, str] | None = None) -> Deployment:
    return read_deployment(folder, folder / ".env", environ or {})


def settings(deployment: Deployment) -> dict[str, tuple[str, Origin, str, int | None]]:
    assert deployment.service is not None
    return {
        name: (each.value, each.origin, each.where, each.line)
        for name, each in deployment.service.settings.items()
    }


def test_a_folder_without_docker(tmp_path: Path) -> None:
    deployment = read(tmp_path)
    assert deployment.service is None
    assert deployment.files == ()
    assert deployment.container(EnvFile("A=1\n")) is None


def test_finds_librechat_by_image_and_not_by_name(tmp_path: Path) -> None:
    lay_out(tmp_path, compose_yaml=MAIN, _env="PORT=3080\nPASSED_ON=yes\n")
    deployment = read(tmp_path)
    assert deployment.service is not None
    assert deployment.service.name == "chat"
    assert deployment.reads_env_file
    assert not deployment.sets_variables_of_env_file
    assert deployment.service.ports == ("3080",)
    assert settings(deployment) == {
        "HOST": ("0.0.0.0", Origin.COMPOSE, "compose.yaml", 12),
        "PASSED_ON": ("yes", Origin.ENV_FILE, ".env", 2),
    }


def test_an_override_replaces_the_command(tmp_path: Path) -> None:
    service = "services: {api: {image: librechat, command: [npm, run, backend]}}"
    override = "services: {api: {command: [node, server.js], ports: ['3080']}}"
    lay_out(tmp_path, compose_yaml=service, compose_override_yaml=override)
    found = read(tmp_path).service
    assert found is not None
    assert (found.command, found.ports) == ("node server.js", ("3080",))


def test_a_merged_variable_has_the_line_where_its_value_is(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml="x-common: &common\n  A: merged\n  B: merged\nservices:\n  api:\n"
        "    image: librechat\n    environment:\n      <<: *common\n      A: own\n",
    )

    assert settings(read(tmp_path)) == {
        "A": ("own", Origin.COMPOSE, "compose.yaml", 9),
        "B": ("merged", Origin.COMPOSE, "compose.yaml", 3),
    }


@pytest.mark.parametrize(
    "service",
    [
        "{image: company/chat, command: npm run backend}",
        "{build: ., command: [node, api/server/index.js]}",
        "{image: company/chat, ports: ['80:3080']}",
        "{image: company/chat, volumes: ['./.env:/app/.env']}",
        "{image: company/chat, volumes: ['.:/app']}",
        "{image: company/chat, environment: {OPENID_CLIENT_ID: x}}",
        "{image: 'ghcr.io/company/librechat-fork@sha256:0'}",
        "{build: {context: ., dockerfile: Dockerfile.multi}, env_file: .env}",
    ],
)
def test_finds_librechat_by_its_command(tmp_path: Path, service: str) -> None:
    lay_out(tmp_path, compose_yaml=f"services: {{db: {{image: mongo}}, web: {service}}}")
    found = read(tmp_path).service
    assert found is not None
    assert found.name == "web"


@pytest.mark.parametrize(
    "service",
    [
        "{image: mongo, env_file: .env}",
        "{image: nginx, ports: ['3080:80']}",
        "{image: librechat-rag-api-dev, env_file: .env, ports: ['3080:3080']}",
        "{image: clickhouse/librechat-admin-panel, ports: ['3000:3000']}",
    ],
)
def test_other_services_are_not_librechat(tmp_path: Path, service: str) -> None:
    lay_out(tmp_path, compose_yaml=f"services: {{api: {service}}}")
    assert read(tmp_path).service is None


def test_recognizes_a_file_by_path_and_not_by_name(tmp_path: Path) -> None:
    for name in ("stack.env", "other/.env"):
        lay_out(tmp_path, compose_yaml=f"services: {{api: {{image: librechat, env_file: {name}}}}}")
        assert not read(tmp_path).sets_variables_of_env_file
    (tmp_path / "linked").symlink_to(tmp_path)
    path = tmp_path / "linked/.env"
    lay_out(tmp_path, compose_yaml=f"services: {{api: {{image: librechat, env_file: {path}}}}}")
    assert read(tmp_path).sets_variables_of_env_file


@pytest.mark.parametrize(
    ("image", "target", "reads"),
    [
        ("librechat:v0.8.7", "/app/.env", True),
        ("librechat:v0.8.7", "/app/api/.env", False),
        ("librechat-dev-api", "/app/api/.env", True),
        ("librechat-dev-api", "/app/.env", False),
        ("librechat\n    working_dir: /srv", "/srv/.env", True),
    ],
)
def test_where_librechat_looks_for_its_env(
    tmp_path: Path, image: str, target: str, reads: bool
) -> None:
    service = f"    image: {image}\n    volumes: ['./.env:{target}']\n"
    lay_out(tmp_path, compose_yaml=f"services:\n  api:\n{service}")
    assert read(tmp_path).reads_env_file is reads


def test_later_env_files_win_and_environment_overrides_them(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml="services:\n  api:\n    image: librechat\n    env_file: [.env, more.env]\n"
        "    environment:\n      C: ${A}-3\n",
        _env="A=1\nB=1\nC=1\nD='${A}'\nE=${A}${B}\n",
        more_env="# more\nB=2\nC=2\n",
    )
    assert settings(read(tmp_path)) == {
        "A": ("1", Origin.ENV_FILE, ".env", 1),
        "B": ("2", Origin.OTHER_ENV_FILE, "more.env", 2),
        "C": ("1-3", Origin.COMPOSE, "compose.yaml", 6),
        "D": ("${A}", Origin.ENV_FILE, ".env", 4),
        "E": ("11", Origin.ENV_FILE, ".env", 5),
    }


@pytest.mark.parametrize(
    "files",
    [
        "    configs: [{source: e, target: /app/.env}]\nconfigs: {e: {file: ./.env}}",
        "    secrets: [{source: e, target: /app/.env}]\nsecrets: {e: {file: ./.env}}",
        "    working_dir: /run/secrets\n    secrets: [.env]\nsecrets: {.env: {file: ./.env}}",
        "    working_dir: /\n    configs: [.env]\nconfigs: {.env: {file: ./.env}}",
    ],
)
def test_a_config_or_secret_is_a_mounted_file(tmp_path: Path, files: str) -> None:
    compose = f"services:\n  api:\n    image: librechat\n{files}\n"
    lay_out(tmp_path, compose_yaml=compose, _env="A=1\n")
    assert read(tmp_path).reads_env_file
    (tmp_path / "compose.yaml").write_text(compose.replace("file: ./.env", "external: true"))
    assert not read(tmp_path).reads_env_file


def test_a_raw_env_file_has_neither_quotes_nor_references(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml="services:\n  api:\n    image: librechat\n"
        "    env_file: [{path: .env, format: raw}]\n",
        _env="\ufeffA='1'\r\n  # a note\r\n B=${A} # 2 \nC\nD\n",
    )
    assert settings(read(tmp_path, {"C": "shell"})) == {
        "A": ("'1'", Origin.ENV_FILE, ".env", 1),
        "B": ("${A} # 2 ", Origin.ENV_FILE, ".env", 3),
        "C": ("shell", Origin.ENV_FILE, ".env", 4),
    }


def test_an_included_env_file_under_two_names_is_one(tmp_path: Path) -> None:
    (tmp_path / "inc").mkdir()
    lay_out(
        tmp_path,
        compose_yaml="include: [{path: [inc/one.yml, inc/two.yml]}]\n",
        inc__one_yml="services: {api: {image: librechat, env_file: [./.env, more.env]}}",
        inc__two_yml="services: {api: {env_file: .env}}",
        inc__more_env="A=more\n",
    )
    (tmp_path / "inc/.env").write_text("A=first\n")

    assert settings(read(tmp_path))["A"][0] == "more"


def test_the_shell_wins_in_references_and_in_what_is_passed_on(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml="services: {api: {image: librechat, environment: [A, 'B=${A}']}}",
        _env="A=file\n",
    )
    found = settings(read(tmp_path, {"A": "shell"}))
    assert found["A"] == ("shell", Origin.SHELL, "", None)
    assert found["B"][:2] == ("shell", Origin.COMPOSE)


def test_remembers_what_is_filled_in_from_outside_the_folder(tmp_path: Path) -> None:
    (tmp_path / "credentials").write_text("[default]\naws_key = a-key-of-mine\n", "utf-8")
    folder = tmp_path / "librechat"
    folder.mkdir()
    (folder / "linked").symlink_to("../credentials")
    for name in ("linked", "../credentials", str(tmp_path / "credentials")):
        taking = f"{MAIN}    env_file: [{name}, .env]\n"
        lay_out(folder, compose_yaml=taking, _env="INSIDE=1\nOPENID_SCOPE=$aws_key$INSIDE\n")
        borrowed = read(folder).project.borrowed
        assert {name: each.value for name, each in borrowed.items()} == {"aws_key": "a-key-of-mine"}


def test_another_file_in_place_of_the_env(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml="services: {api: {image: librechat, volumes: ['./prod.env:/app/.env']}}",
        prod_env="A=${B}\n",
    )
    container = read(tmp_path).container(EnvFile("A=1\n"))
    assert container is not None
    assert not read(tmp_path).reads_env_file
    assert container.dotenv["A"].value == "${B}"
    assert container.dotenv["A"].where == "prod.env"


def test_returns_what_an_edit_of_the_env_changes(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml="services: {api: {image: librechat, env_file: .env,"
        " environment: {D: '${A}', E: fixed}}}",
        _env="A=1\nB=1\n",
    )
    container = read(tmp_path).container(EnvFile("A=2\nC=3\n"))
    assert container is not None
    values = {name: each.value for name, each in container.variables.items()}
    assert values == {"A": "2", "C": "3", "D": "2", "E": "fixed"}


def test_recognizes_who_reads_the_env(tmp_path: Path) -> None:
    lay_out(tmp_path, compose_yaml=MAIN + '    user: "${UID}:${GID:-7}"\n', _env="UID=5\n")

    def reader(environ: Mapping[str, str]) -> Reader | None:
        return judge(Evidence(Checkout(tmp_path, ()), read(tmp_path, environ))).reader

    assert reader({}) == Reader(5, 7)
    assert reader({"UID": "chat"}) is None


def test_reports_errors_and_reads_the_rest(tmp_path: Path) -> None:
    lay_out(
        tmp_path,
        compose_yaml=MAIN,
        compose_override_yaml="services:\n  chat: [\n",
        _env='PORT=1\n{"a": 1}\n',
    )
    deployment = read(tmp_path)
    assert deployment.service is not None
    troubles = [(each.path, each.line) for each in deployment.project.troubles]
    assert troubles == [(tmp_path / ".env", 2), (tmp_path / "compose.override.yaml", 3)]


def test_maps_mounts_both_ways() -> None:
    service = Service(
        "api", mounts=(Mount(Path("/srv"), "/app"), Mount(Path("/etc/x"), "/app/.env"))
    )
    assert service.source_of("/app/.env") == Path("/etc/x")
    assert service.source_of("/app/librechat.yaml") == Path("/srv/librechat.yaml")
    assert service.source_of("/application") is None
    assert service.target_of(Path("/srv/config/a.yaml")) == "/app/config/a.yaml"
    assert service.target_of(Path("/srvx")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}:${B}", "1:"),
        ("${NONE-x}", "x"),
        ("${NONE:-x}", "x"),
        ("${B-x}", ""),
        ("${B:-x}", "x"),
        ("${A:+x}", "x"),
        ("${B:+x}", ""),
        ("${B+x}", "x"),
        ("${A?must be set}", "1"),
        ("${NONE:-${B:-${A}}}", "1"),
        ("$$A", "$A"),
    ],
)
def test_references(text: str, expected: str) -> None:
    assert interpolated(text, {"A": "1", "B": ""}.get) == expected


@pytest.mark.parametrize("text", ["100$", "${", "${}", "${A!}", "${NONE?}", "${B:?needed}", "$ "])
def test_references_that_compose_rejects(text: str) -> None:
    with pytest.raises(ComposeError):
        interpolated(text, {"A": "1", "B": ""}.get)


def test_reads_an_env_file_up_to_the_line_that_compose_rejects() -> None:
    values: dict[str, Setting] = {}
    with pytest.raises(ComposeError) as refusal:
        values.update(read_env_file("A=1\n\n- B=2\nC=3\n", lambda _: None))
    assert {name: each.line for name, each in values.items()} == {"A": 1}
    assert refusal.value.line == 3


class Docker:
    """`Processes` with a `docker` whose answer the test sets."""

    def __init__(self, answer: Callable[[Sequence[str]], Completed]) -> None:
        self.answer = answer
        self.asked: list[Sequence[str]] = []
        self.environs: list[Mapping[str, str]] = []

    def which(self, program: str) -> Path:
        return Path("/usr/bin", program)

    def run(
        self,
        args: Sequence[str],
        *,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        at_terminal: bool = False,
        given: bytes = b"",
    ) -> Completed:
        assert timeout <= 10
        self.asked.append(args)
        self.environs.append(env or {})
        return self.answer(args)


def ask(
    folder: Path,
    answer: Callable[[Sequence[str]], Completed],
    environ: Mapping[str, str] | None = None,
) -> tuple[Deployment, Docker]:
    docker: Any = Docker(answer)
    return read_deployment(folder, folder / ".env", environ or {"HOME": "/h"}, docker), docker


def test_prefers_composes_own_result(tmp_path: Path) -> None:
    lay_out(tmp_path, compose_yaml=MAIN, _env="PASSED_ON=ours\n")
    service = {"image": IMAGE, "environment": {"PASSED_ON": "a$$b", "NEW": "1", "NOT": None}}
    printed = json.dumps({"services": {"chat": service}})
    deployment, docker = ask(tmp_path, lambda _: Completed(0, printed, ""))
    assert settings(deployment) == {
        "PASSED_ON": ("a$b", Origin.ENV_FILE, ".env", 1),
        "NEW": ("1", Origin.COMPOSE, "compose.yaml", None),
    }
    (command,) = docker.asked
    assert command[-5:] == ["--profile", "*", "config", "--format", "json"]
    assert docker.environs[0]["COMPOSE_EXPERIMENTAL_GIT_REMOTE"] == "false"
    assert docker.environs[0]["COMPOSE_EXPERIMENTAL_OCI_REMOTE"] == "false"


def test_quotes_composes_error_without_values(tmp_path: Path) -> None:
    lay_out(tmp_path, compose_yaml=MAIN, _env="PORT=1\n")

    def refuse(args: Sequence[str]) -> Completed:
        if "version" in args:
            return Completed(0, "2.26.1\n", "")
        return Completed(15, "", 'level=warning msg="x"\nservices.chat: bad value "s3cret"\n')

    deployment, _ = ask(tmp_path, refuse)
    assert deployment.service is not None
    assert [each.reason for each in deployment.project.troubles] == ['services.chat: bad value "…"']


@pytest.mark.parametrize(
    "answer",
    [
        Completed(125, "", "docker: 'compose' is not a docker command."),
        Completed(124, "", "half a line"),
        Completed(0, "no JSON", ""),
        Completed(0, '{"services": [1]}', ""),
        Completed(0, '{"services": {"chat": 1}}', ""),
    ],
)
def test_falls_back_to_our_reader(tmp_path: Path, answer: Completed) -> None:
    lay_out(tmp_path, compose_yaml=MAIN, _env="PORT=1\n")
    deployment, _ = ask(
        tmp_path, lambda args: Completed(1, "", "") if "version" in args else answer
    )
    assert deployment.service is not None
    assert deployment.project.troubles == ()
    assert settings(deployment)["HOST"][0] == "0.0.0.0"


def test_never_passes_exhausting_files_to_compose(tmp_path: Path) -> None:
    merges = "".join(
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)
    )
    lay_out(tmp_path, compose_yaml=f"a0: &a0 {{x: 1, y: 2}}\n{merges}")
    deployment, docker = ask(tmp_path, lambda _: Completed(0, "", ""))
    assert deployment.project.is_too_large
    assert docker.asked == []


@pytest.mark.parametrize(
    "files",
    [
        {"compose.yaml": "include: [compose.yaml, compose.yaml]\n"},
        {"compose.yaml": "services: {a: {extends: {service: a, file: compose.yaml}}}\n"},
        {f"{n or 'compose'}.yaml": f"include: [{n + 1}.yaml, ./{n + 1}.yaml]\n" for n in range(15)},
        {"compose.yaml": "services: {a: {environment: ['A=" + "${A:-" * 5000 + "']}}\n"},
    ],
    ids=["itself", "extends itself", "doubled", "nested references"],
)
def test_circular_files_terminate(tmp_path: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert read(tmp_path).service is None


def test_limits_a_range_of_ports(tmp_path: Path) -> None:
    ranges = "['1-99999999999999:1-9999999999999', '4000-3000', '5-6:7-8']"
    lay_out(tmp_path, compose_yaml=f"services: {{a: {{ports: {ranges}}}}}")
    ports = read(tmp_path).project.services["a"].ports
    assert ports[:2] == ("1", "2")
    assert len(ports) == 1000


def test_passes_no_secret_of_the_shell_to_compose(tmp_path: Path) -> None:
    lay_out(tmp_path, compose_yaml=MAIN, _env="PORT=1\n")
    secret = {"OPENID_CLIENT_SECRET": "s3cret", "TZ": "UTC"}
    _, docker = ask(tmp_path, lambda _: Completed(1, "", ""), secret)
    assert [{"TZ", "OPENID_CLIENT_SECRET"} & each.keys() for each in docker.environs] == [
        {"TZ"}
    ] * 2


def test_only_our_reader_reads_a_reference_to_a_secret_of_the_shell(tmp_path: Path) -> None:
    reference = "      - OPENID_CLIENT_SECRET\n"
    lay_out(tmp_path, compose_yaml=MAIN + reference, _env="PORT=1\n")
    deployment, docker = ask(
        tmp_path, lambda _: Completed(1, "", ""), {"OPENID_CLIENT_SECRET": "s3cret"}
    )
    assert docker.asked == []
    assert settings(deployment)["OPENID_CLIENT_SECRET"][:2] == ("s3cret", Origin.SHELL)
