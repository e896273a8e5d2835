"""The doctor on the demo tenant: it reports each fault of the tenant and of the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.doctor.cases import CLIENT_ID, CLIENT_SECRET, COMPOSE, env, subject
from tests.providers import PUBLIC_URL, Demo, authority, demo, demo_server
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from tests.tenant.state import DATABASE_NAME
from wizard.doctor.claims import claims_of
from wizard.doctor.examine import Examination, Part, examine, examine_again, part_of
from wizard.doctor.subject import Subject, settings_of
from wizard.http import HttpClient, NetworkError, Response, Trouble
from wizard.librechat.env_file import EnvFile
from wizard.librechat.env_plan import Base, plan_env
from wizard.system.clock import Clock

__all__ = ["authority", "demo", "demo_server"]


class Network:
    """Requests go to the demo tenant, or through the tunnel."""

    def __init__(self, demo: Demo, librechat: HttpClient) -> None:
        self._demo = demo
        self._librechat = librechat

    def request(self, method: str, url: str, **options: Any) -> Response:
        is_tenant = url.startswith(self._demo.issuer.rstrip("/"))
        client = self._demo.http if is_tenant else self._librechat
        return client.request(method, url, **options)


def examined(demo: Demo, **changed: str) -> Examination:
    """Examine a file written by init, with other values, and a LibreChat that read it."""
    written = plan_env(demo.setup, Base(None, None, 3080)).after
    with running(LibreChat({})) as librechat:
        file, _ = written.edited({"PORT": str(librechat.port), **changed})
        librechat.values = file.values()
        http = Network(demo, Tunnel(PUBLIC_URL, librechat.port))
        return examine(subject(file.text), http, Clock(), offline=False)


def test_accepts_what_init_wrote(demo: Demo) -> None:
    demo.tenant.connections[DATABASE_NAME].options["disable_signup"] = True
    examination = examined(demo)
    assert [each.rule.id for each in examination.findings if each.severity.value != "note"] == []
    assert examination.tenant is not None
    assert examination.tenant.ok


def test_checks_auth0s_open_sign_up_only_for_a_public_librechat(demo: Demo) -> None:
    def asked(url: str) -> bool:
        demo.tenant.visits.clear()
        found = {it.rule.id for it in examined(demo, DOMAIN_SERVER=url).findings}
        is_asked = any(it.path.startswith("/client/") for it in demo.tenant.visits)
        assert ("LA640" in found) == is_asked
        return is_asked

    assert asked(PUBLIC_URL)
    assert not asked("https://localhost:3443")


@pytest.mark.parametrize(
    ("break_it", "changed", "words"),
    [
        (lambda demo: None, {"OPENID_CLIENT_ID": "unknown"}, "client"),
        (lambda demo: None, {"OPENID_CLIENT_SECRET": "wrong-secret"}, "secret"),
        (lambda demo: demo.application.callbacks.clear(), {}, "callback"),
        (lambda demo: None, {"OPENID_AUDIENCE": "urn:nobody"}, "identifier"),
    ],
)
def test_faults_of_the_tenant(
    demo: Demo, break_it: Callable[[Demo], None], changed: dict[str, str], words: str
) -> None:
    break_it(demo)
    examination = examined(demo, **changed)
    errors = [each for each in examination.findings if each.severity.value == "error"]
    assert errors
    assert all(part_of(each.rule.id) is Part.AUTH0 for each in errors)
    assert words in " ".join(f"{each.rule.title} {each.fix}" for each in errors).lower()


@pytest.mark.parametrize(
    "changed",
    [{"DOMAIN_SERVER": f"{PUBLIC_URL} "}, {"OPENID_CALLBACK_URL": "/oauth/openid/callback\u00a0"}],
)
def test_sends_the_same_spaces_as_librechat(demo: Demo, changed: dict[str, str]) -> None:
    found = {each.rule.id: each for each in examined(demo, **changed).findings}
    assert {"LA174", "LA231"} <= found.keys()


@pytest.mark.parametrize(
    "changed",
    [
        {"OPENID_ISSUER": ""},
        {"OPENID_ISSUER": "https://id.example.com/realms/main"},
        {"OPENID_CLIENT_ID": "your-client-id"},
        {"DOMAIN_SERVER": "chat.example.com"},
        {"DOMAIN_SERVER": f"{PUBLIC_URL}/"},
    ],
)
def test_does_not_send_invalid_values_to_the_tenant(changed: dict[str, str]) -> None:
    assert settings_of(subject(env(**changed))) is None


class NoNetwork:
    """Only this machine may be asked, where no LibreChat runs."""

    def request(self, method: str, url: str, **sent: Any) -> Response:
        assert urlsplit(url).hostname == "localhost", (method, url, sent)
        raise NetworkError(Trouble.REFUSED, url)


@pytest.mark.parametrize(
    "assignment",
    [
        "OPENID_ISSUER: https://${NPM_TOKEN}.evil.example",
        "OPENID_ISSUER: https://evil.example/${NPM_TOKEN}",
        "OPENID_CLIENT_ID: ${NPM_TOKEN:-none}",
        "OPENID_CLIENT_SECRET: $NPM_TOKEN",
        "OPENID_CLIENT_SECRET: ${MONGO_URI}",
        "OPENID_AUDIENCE: ${INNER}",
        "OPENID_SCOPE: openid ${NPM_TOKEN}",
        "DOMAIN_SERVER: https://${NPM_TOKEN}.evil.example",
    ],
)
def test_sends_no_variable_of_the_shell_that_a_compose_file_takes(assignment: str) -> None:
    compose = f"{COMPOSE}    environment:\n      {assignment}\n"
    secrets = {"NPM_TOKEN": "t0ken-of-mine", "MONGO_URI": "mongodb://me:t0ken-of-mine@db"}
    checked = subject(env("INNER=${NPM_TOKEN}"), compose=compose, environ=secrets)
    examination = examine(checked, NoNetwork(), Clock(), offline=False)
    reported = {each.rule.id: each.detail for each in examination.findings}
    assert "LA517" in reported
    claims = {each.check: each.evidence for each in claims_of(examination)}
    assert "outside the folder" in claims["tenant"]
    assert "outside the folder" in claims["public_url"]
    assert "t0ken-of-mine" not in "".join((*reported.values(), *map(str, claims.values())))


def test_sends_what_the_shell_has_for_librechat() -> None:
    compose = (
        f"{COMPOSE}    environment:\n      OPENID_CLIENT_SECRET: ${{OPENID_CLIENT_SECRET}}\n"
        "      OPENID_CLIENT_ID: ${AUTH0_CLIENT_ID}\n"
    )
    given = {"OPENID_CLIENT_SECRET": CLIENT_SECRET, "AUTH0_CLIENT_ID": CLIENT_ID}
    settings = settings_of(subject(env(), compose=compose, environ=given))
    assert settings is not None
    assert settings.client_secret == CLIENT_SECRET


class OtherProvider:
    """A server with metadata below a path, and no running LibreChat."""

    def __init__(self, issuer: str, status: int = 200) -> None:
        self._issuer, self._status = issuer, status

    def request(self, method: str, url: str, **_: Any) -> Response:
        if "id.example.com" not in url:
            raise NetworkError(Trouble.REFUSED, url)
        assert url == "https://id.example.com/oauth/.well-known/openid-configuration"
        return Response(url, self._status, {}, json.dumps({"issuer": self._issuer}).encode())


@pytest.mark.parametrize(
    ("issuer", "server", "detail"),
    [
        ("/oauth", OtherProvider("https://id.example.com/oauth"), None),
        ("/oauth/", OtherProvider("https://id.example.com/oauth"), "names https://id"),
        ("/oauth/.well-known/openid-configuration", OtherProvider("https://any"), None),
        ("/oauth", OtherProvider("https://id.example.com/"), "names https://id.example.com/."),
        ("/oauth", OtherProvider("", 404), "status 404"),
    ],
)
def test_an_issuer_with_a_path_is_not_skipped_silently(
    issuer: str, server: OtherProvider, detail: str | None
) -> None:
    checked = subject(env(OPENID_ISSUER=f"https://id.example.com{issuer}"))
    examination = examine(checked, server, Clock(), offline=False)
    reported = {each.rule.id: each.detail for each in examination.findings}
    assert (detail is not None) is ("LA110" in reported)
    assert detail is None or detail in reported["LA110"]
    (claim,) = (each for each in claims_of(examination) if each.check == "tenant")
    assert "path is not Auth0's" in claim.evidence


def test_an_issuer_with_a_path_is_asked_again_after_a_fix() -> None:
    server = OtherProvider("", 404)
    before = subject(env(OPENID_ISSUER="https://id.example.com/oauth", ALLOW_SOCIAL_LOGIN="no"))
    fixed = before._replace(file=before.file.edited({"ALLOW_SOCIAL_LOGIN": "true"})[0])

    examination = examine(before, server, Clock(), offline=False)
    again = examine_again(fixed, examination, server, Clock(), offline=False)
    offline = examine_again(fixed, examination, server, Clock(), offline=True)

    left = {each.rule.id for each in again.findings}
    assert left == {each.rule.id for each in examination.findings} - {"LA100"}
    assert left - {each.rule.id for each in offline.findings} == {"LA110"}


def test_reads_the_settings_from_the_file() -> None:
    settings = settings_of(subject(env(OPENID_AUDIENCE="urn:a, urn:b")))
    assert settings is not None
    assert settings.audiences == ("urn:a", "urn:b")
    assert settings.callback_url == f"{PUBLIC_URL}/oauth/openid/callback"
    assert settings.reuse_tokens


def test_the_subject_shows_no_secret() -> None:
    checked = subject(env())._replace(environ={"OPENID_CLIENT_SECRET": "from-the-shell"})
    assert "from-the-shell" not in repr(checked)
    assert Path("/srv/librechat/.env") == checked.path
    assert isinstance(checked, Subject)
    assert EnvFile(env()).values()["OPENID_CLIENT_SECRET"] not in repr(checked)
