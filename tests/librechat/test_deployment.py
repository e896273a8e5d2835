"""What Docker Compose and librechat.yaml say of a LibreChat folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.librechat.deployment import interpolated, read_deployment
from wizard.librechat.variables import first_version, is_known, known_names
from wizard.librechat.versions import is_older, parse_version

MAIN = """
services:
  api:
    image: registry.librechat.ai/danny-avila/librechat-dev:latest
    ports:
      - "${PORT}:${PORT}"
    volumes:
      - type: bind
        source: ./.env
        target: /app/.env
      - ./images:/app/client/public/images
    environment:
      - HOST=0.0.0.0
      - MONGO_URI=mongodb://mongodb:27017/LibreChat
      - PASSED_ON
  rag_api:
    env_file:
      - .env
"""
DEPLOY = """
services:
  api:
    image: registry.librechat.ai/danny-avila/librechat-api:v0.8.7
    env_file: .env
    environment: {HOST: 0.0.0.0, DEBUG: true, NUMBER: 5}
    volumes: ["./librechat.yaml:/app/librechat.yaml"]
"""


def test_the_folder_without_docker(tmp_path: Path) -> None:
    deployment = read_deployment(tmp_path)
    assert not deployment.has_api
    assert not deployment.mounts_yaml
    assert deployment.documents == ()


def test_librechats_own_compose_file(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(MAIN)
    deployment = read_deployment(tmp_path)
    assert deployment.hands_env_on
    assert not deployment.hands_env_as_variables
    assert not deployment.mounts_yaml
    handed = deployment.environment({})
    assert {name: each.value for name, each in handed.items()} == {
        "HOST": "0.0.0.0",
        "MONGO_URI": "mongodb://mongodb:27017/LibreChat",
    }


def test_the_override_wins(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text(MAIN)
    (tmp_path / "docker-compose.override.yml").write_text(
        "services:\n  api:\n    image: librechat:v0.8.5\n    environment:\n"
        "      HOST: ${HOST:-here}\n    volumes: ['./librechat.yaml:/app/librechat.yaml']\n"
    )
    deployment = read_deployment(tmp_path)
    assert deployment.environment({})["HOST"].value == "here"
    assert deployment.environment({})["HOST"].where == "docker-compose.override.yml"
    assert deployment.mounts_yaml


def test_deploy_compose(tmp_path: Path) -> None:
    (tmp_path / "deploy-compose.yml").write_text(DEPLOY)
    deployment = read_deployment(tmp_path)
    assert deployment.hands_env_as_variables
    assert deployment.environment({})["DEBUG"].value == "true"
    assert deployment.environment({})["NUMBER"].value == "5"
    assert deployment.mounts_yaml


def test_a_broken_file_is_told_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services:\n  api: [\n")
    (document,) = read_deployment(tmp_path).documents
    assert document.content is None
    assert document.trouble.startswith("line 3")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}", "1"),
        ("${A}:${B}", "1:"),
        ("${NONE-x}", "x"),
        ("${NONE:-x}", "x"),
        ("${B-x}", ""),
        ("${B:-x}", "x"),
        ("${A:+x}", "x"),
        ("${B:+x}", ""),
        ("${B+x}", "x"),
        ("${NONE?must be set}", ""),
        ("$$A", "$A"),
        ("100$", "100$"),
        ("${", "${"),
    ],
)
def test_interpolation(text: str, expected: str) -> None:
    assert interpolated(text, {"A": "1", "B": ""}) == expected


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0.7.9", "0.8.0"),
        ("v0.8.8-rc1", "0.8.8-rc2"),
        ("0.8.8-rc4", "0.8.8"),
        ("0.9.9", "0.10.0"),
        ("0.7.9", "0.8.0-rc1"),
        ("0.8.0-rc2", "0.8.0-rc10"),
        ("0.8.0-beta.2", "0.8.0-rc1"),
        ("0.7.3-rc", "0.7.3-rc2"),
        ("0.8.0-rc2+build.5", "0.8.0"),
    ],
)
def test_versions(older: str, newer: str) -> None:
    assert is_older(older, newer)
    assert not is_older(newer, older)
    assert not is_older(older, older)


@pytest.mark.parametrize(
    "text", ["", "latest", "0.8", "0.8.8-alpine", "x0.8.8", "0.8.8.1", "9" * 5000 + ".0.0"]
)
def test_no_versions(text: str) -> None:
    assert parse_version(text) is None
    assert not is_older(text, "9.9.9")
    assert not is_older("0.0.1", text)


def test_names() -> None:
    assert all(is_known(name) for name in known_names())
    versions = {first_version(name) for name in known_names()} - {""}
    assert all(parse_version(version) for version in versions)
    assert first_version("OPENID_AUDIENCE") == "0.8.0-rc1"
    assert first_version("OPENID_ISSUER") == ""
    assert not is_known("OPENID_SCOPES")
