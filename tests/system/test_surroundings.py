from __future__ import annotations

import socket

import pytest

from wizard.system.surroundings import forwarded_url, is_container, is_over_ssh, resolves


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({}, ""),
        (
            {
                "CODESPACE_NAME": "fluffy-disco-x7",
                "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "app.github.dev",
            },
            "https://fluffy-disco-x7-3080.app.github.dev",
        ),
        ({"CODESPACE_NAME": "fluffy-disco-x7"}, ""),
        (
            {"VSCODE_PROXY_URI": "https://{{port}}--dev.coder.example/"},
            "https://3080--dev.coder.example",
        ),
        ({"VSCODE_PROXY_URI": "https://dev.example/proxy/{{port}}/"}, ""),  # below a path
        ({"VSCODE_PROXY_URI": "http://localhost:{{port}}/"}, ""),
    ],
)
def test_the_url_of_a_forwarded_port(environ: dict[str, str], url: str) -> None:
    assert forwarded_url(environ, 3080) == url


def test_recognizes_ssh_and_containers_by_the_environment() -> None:
    assert is_over_ssh({"SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 22"})
    assert is_over_ssh({"SSH_TTY": "/dev/pts/1"})
    assert not is_over_ssh({})
    assert is_container({"REMOTE_CONTAINERS": "true"})


@pytest.mark.parametrize("error", [socket.gaierror(-2, "unknown"), UnicodeError("too long")])
def test_a_name_without_an_address(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    assert not resolves("chat.example.com")


def test_a_slow_name_server_is_inconclusive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wizard.system.surroundings.SECONDS_TO_RESOLVE", 0.0)
    monkeypatch.setattr("wizard.system.surroundings.begin", lambda *_: Slow())
    assert resolves("chat.example.com")


class Slow:
    """A look-up that has no answer yet."""

    def result(self, _: float) -> None:
        raise TimeoutError
