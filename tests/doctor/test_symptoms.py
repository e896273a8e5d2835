"""Symptoms from LibreChat's Auth0 guide and issues lead to the rule that explains them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.doctor.cases import AUDIENCE, COMPOSE, DOMAIN, PUBLIC_URL, env, subject
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from wizard.doctor.examine import examine
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import Subject
from wizard.http import HttpClient, Response
from wizard.librechat.env_file import EnvFile

MISSING: Mapping[str, str | None] = {"OPENID_AUDIENCE": None, "OPENID_REFRESH_AUDIENCE": None}

# The symptom in people's words, the setup, and rules of which one must be reported.
SYMPTOMS: Mapping[str, tuple[Subject, set[str]]] = {
    "the page reloads endlessly: no audience, old version": (
        subject(env(**MISSING), version="0.8.2"),
        {"LA113"},
    ),
    "the page reloads endlessly: no audience": (subject(env(**MISSING)), {"LA112"}),
    "the page reloads endlessly: automatic redirect, no refresh token": (
        subject(env("OPENID_AUTO_REDIRECT=true", OPENID_SCOPE="openid profile email")),
        {"LA119"},
    ),
    "the page reloads endlessly: cookies of another host": (
        subject(env(DOMAIN_SERVER="https://api.example.com")),
        {"LA127"},
    ),
    "invalid token: Auth0's own API as the audience": (
        subject(env(OPENID_AUDIENCE=f"https://{DOMAIN}/userinfo")),
        {"LA114"},
    ),
    "no refresh token": (subject(env(OPENID_SCOPE="openid profile email")), {"LA119"}),
    "button missing: session secret empty (2991)": (
        subject(env(OPENID_SESSION_SECRET="")),
        {"LA101"},
    ),
    "button missing: social login off": (subject(env(ALLOW_SOCIAL_LOGIN="false")), {"LA100"}),
    "button missing: librechat.yaml": (
        subject(env(), yaml="registration:\n  socialLogins: []\n"),
        {"LA504"},
    ),
    "button missing: librechat.yaml is not mounted (3754)": (
        subject(env(), compose=COMPOSE, yaml="registration:\n  socialLogins: ['openid']\n"),
        {"LA505"},
    ),
    "button missing: neither secret nor PKCE": (
        subject(env(OPENID_CLIENT_SECRET="", OPENID_USE_PKCE="false")),
        {"LA103"},
    ),
    "mismatch page: slash at the end": (subject(env(DOMAIN_SERVER=f"{PUBLIC_URL}/")), {"LA124"}),
    "mismatch page: whole URL as callback (4683)": (
        subject(env(OPENID_CALLBACK_URL=f"{PUBLIC_URL}/oauth/openid/callback")),
        {"LA106"},
    ),
    "mismatch page: no callback": (subject(env(OPENID_CALLBACK_URL=None)), {"LA105"}),
    "mismatch page: server on localhost (PR 495)": (
        subject(env(DOMAIN_SERVER="http://localhost:3080")),
        {"LA127"},
    ),
    "unknown strategy openid: scope empty (671)": (subject(env(OPENID_SCOPE="")), {"LA102"}),
    "sent to /oauth/openid/undefined (10482)": (
        subject(env(DOMAIN_CLIENT=None, DOMAIN_SERVER=None)),
        {"LA122"},
    ),
    "Invalid URL at start": (subject(env(OPENID_ISSUER=DOMAIN)), {"LA108"}),
    "only requests to HTTPS are allowed": (
        subject(env(OPENID_ISSUER=f"http://{DOMAIN}")),
        {"LA109"},
    ),
    "e-mail can't be blank (3086)": (
        subject(env(OPENID_SCOPE="openid profile offline_access")),
        {"LA118"},
    ),
    "auth_failed over plain HTTP (13188)": (
        subject(env(DOMAIN_CLIENT="http://10.0.0.2", DOMAIN_SERVER="http://10.0.0.2")),
        {"LA128"},
    ),
    "my settings have no effect (8308)": (
        subject(env("OPENID_ENABLED=true\nOPENID_SCOPES=openid")),
        {"LA180"},
    ),
    "algorithm.iv must contain exactly 16 bytes (7432)": (
        subject(env(CREDS_IV="abc")),
        {"LA162"},
    ),
    "401 on every call (11753)": (
        subject(
            env(DOMAIN_CLIENT="http://localhost:3080", DOMAIN_SERVER="http://localhost:3080"),
            version="0.8.1",
        ),
        {"LA146"},
    ),
    "refresh result is no longer available (15648)": (
        subject(env(), version="0.8.8-rc2"),
        {"LA146"},
    ),
    "logout leaves Auth0 signed in (12997)": (
        subject(env(OPENID_USE_END_SESSION_ENDPOINT="false")),
        {"LA144"},
    ),
    "discovery fails behind a proxy (8099)": (
        subject(env(), compose=COMPOSE, environ={"https_proxy": "http://proxy:3128"}),
        {"LA184"},
    ),
    "I changed the file and nothing happens: the override wins": (
        subject(
            env(),
            compose=COMPOSE,
            override="services:\n  api:\n    environment:\n      - OPENID_AUDIENCE=urn:old\n",
        ),
        {"LA502"},
    ),
    "I changed the file and nothing happens: an earlier line": (
        subject(env(f"OPENID_AUDIENCE={AUDIENCE}")),
        {"LA150"},
    ),
}


@pytest.mark.parametrize(("broken", "rules"), SYMPTOMS.values(), ids=SYMPTOMS.keys())
def test_symptom(broken: Subject, rules: set[str]) -> None:
    assert rules <= {finding.rule.id for finding in diagnose(broken)}


class _NoTenant:
    """LibreChat through the tunnel, and a tenant that answers nothing."""

    def __init__(self, librechat: HttpClient) -> None:
        self._librechat = librechat

    def request(self, method: str, url: str, **options: object) -> Response:
        if "auth0.com" in url:
            return Response(url, 404, {}, b"")
        return self._librechat.request(method, url, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("librechat", "tells_https", "rule"),
    [
        (LibreChat({}), True, "LA522"),
        (LibreChat({}, discovery_worked=False), True, "LA207"),  # the cause of LA526
        (LibreChat({}, social_logins=["google"]), True, "LA523"),
        (LibreChat({}), False, "LA527"),
    ],
    ids=["button missing", "click answers 500", "button hidden", "auth_failed behind a proxy"],
)
def test_symptom_of_a_running_librechat(librechat: LibreChat, tells_https: bool, rule: str) -> None:
    from tests.fakes import FixedClock

    with running(librechat):
        file = EnvFile(env(PORT=str(librechat.port)))
        values = dict(file.values())
        if rule == "LA522":
            values["OPENID_CLIENT_ID"] = ""
        librechat.values = values
        http = _NoTenant(Tunnel(PUBLIC_URL, librechat.port, tells_https=tells_https))
        checked = subject(file.text)
        found = examine(checked, http, FixedClock(), offline=False).findings
    identifiers = [finding.rule.id for finding in found]
    assert rule in identifiers
    # The tenant is asked too, and its findings come first.
    assert identifiers[0].startswith("LA2")
    assert librechat.logins == 1
