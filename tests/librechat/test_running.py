"""The running LibreChat, simulated by a small real server: everything that can be wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.doctor.cases import GOOD, PUBLIC_URL
from tests.languages import untranslatable
from tests.ports import free_port
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from wizard.findings import Finding
from wizard.http import WAITING, WAITING_HEADER, Https, NetworkError, Response, Trouble
from wizard.librechat.running import INSTANCE_RULES, judge_instance, look_at_instance

Values = Mapping[str, str]


def found(
    librechat: LibreChat,
    values: Values = GOOD,
    *,
    tells_https: bool = True,
    answer: Response | NetworkError | None = None,
) -> list[Finding]:
    """Return the findings for a LibreChat whose `.env` has these values."""
    with running(librechat):
        public_url = values["DOMAIN_SERVER"]
        tunnel = Tunnel(public_url, librechat.port, tells_https=tells_https, answer=answer)
        instance = look_at_instance(tunnel, librechat.port, public_url)
    findings = judge_instance(instance, values)
    assert untranslatable(text for each in findings for text in (each.detail, each.fix)) == []
    return findings


def ids(findings: list[Finding]) -> list[str]:
    return [finding.rule.id for finding in findings]


def test_all_is_well() -> None:
    librechat = LibreChat(GOOD)
    assert found(librechat) == []
    assert librechat.logins == 1, "LibreChat accepts seven in five minutes"


LOCALHOST = {**GOOD, "DOMAIN_SERVER": "https://localhost:3443"}


@pytest.mark.parametrize(
    "values",
    [
        LOCALHOST,
        {**GOOD, "OPENID_AUDIENCE": f"{GOOD['OPENID_AUDIENCE']},urn:other"},
        {**GOOD, "OPENID_ISSUER": f"{GOOD['OPENID_ISSUER']}/"},
        {**GOOD, "OPENID_SCOPE": "openid  email profile"},
        {**GOOD, "OPENID_BUTTON_LABEL": ""},
        {**GOOD, "OPENID_CLIENT_SECRET": ""},
        {name: value for name, value in GOOD.items() if name != "OPENID_AUDIENCE"},
    ],
)
def test_valid_variations(values: Values) -> None:
    assert found(LibreChat(values), values) == []


@pytest.mark.parametrize(
    ("name", "running_value", "shown"),
    [
        ("OPENID_CLIENT_ID", "another", "another"),
        ("OPENID_SCOPE", "openid", "openid"),
        ("OPENID_AUDIENCE", "urn:old", "urn:old"),
        ("OPENID_CALLBACK_URL", "/old", "/old"),
        ("OPENID_ISSUER", "https://old.eu.auth0.com", "old.eu.auth0.com"),
        ("DOMAIN_SERVER", "https://old.example.com", "https://old.example.com"),
    ],
)
def test_it_was_not_restarted(name: str, running_value: str, shown: str) -> None:
    findings = found(LibreChat({**GOOD, name: running_value}))
    assert ids(findings) == ["LA524"]
    assert findings[0].variable == name
    assert shown in findings[0].detail
    assert "state-that-nobody-shall-see" not in findings[0].detail


def test_another_label() -> None:
    assert ids(found(LibreChat({**GOOD, "OPENID_BUTTON_LABEL": "Log in"}))) == ["LA525"]


@pytest.mark.parametrize(
    "changed",
    [{"ALLOW_SOCIAL_LOGIN": "false"}, {"OPENID_SESSION_SECRET": ""}, {"OPENID_ISSUER": ""}],
)
def test_it_has_no_sign_in(changed: Values) -> None:
    assert "LA522" in ids(found(LibreChat({**GOOD, **changed})))


def test_it_has_no_sign_in_because_the_file_has_none() -> None:
    values = {**GOOD, "OPENID_SESSION_SECRET": ""}
    assert ids(found(LibreChat(values), values)) == []


def test_the_button_is_hidden() -> None:
    assert ids(found(LibreChat(GOOD, social_logins=["google"]))) == ["LA523"]


@pytest.mark.parametrize(
    "librechat",
    [LibreChat(GOOD, discovery_worked=False), LibreChat({**GOOD, "OPENID_SCOPE": ""})],
    ids=["discovery failed", "no scope"],
)
def test_the_button_answers_500(librechat: LibreChat) -> None:
    assert ids(found(librechat)) == ["LA526"]


def test_without_social_login_no_button_can_answer_500() -> None:
    off = {**GOOD, "ALLOW_SOCIAL_LOGIN": "false"}
    assert ids(found(LibreChat(off), off)) == []
    assert ids(found(LibreChat(off))) == ["LA522"]


def test_no_cookie_without_forwarded_proto() -> None:
    assert ids(found(LibreChat(GOOD), tells_https=False)) == ["LA527"]
    assert found(LibreChat(LOCALHOST), LOCALHOST, tells_https=False) == []


def test_cookie_that_is_not_secure() -> None:
    values = {**GOOD, "SESSION_COOKIE_SECURE": "false"}
    findings = found(LibreChat(values), values)
    assert ids(findings) == ["LA528"]
    assert "SESSION_COOKIE_SECURE is false" in findings[0].detail


def test_rate_limit() -> None:
    librechat = LibreChat(GOOD, asked=["/oauth/openid"] * 7)
    assert ids(found(librechat)) == ["LA533"]


def test_odd_answer() -> None:
    values = {**GOOD, "OPENID_ISSUER": "https://dev-abc123.us.auth0.com#"}
    assert ids(found(LibreChat(values))) == ["LA529"]


def test_it_does_not_run() -> None:
    port = free_port()
    tunnel = Tunnel(PUBLIC_URL, port, answer=Response(PUBLIC_URL, 502, {}, b""))
    findings = judge_instance(look_at_instance(tunnel, port, PUBLIC_URL), GOOD)
    assert ids(findings) == ["LA531", "LA520"]


def test_our_waiting_tunnel_is_not_a_fault_of_the_public_url() -> None:
    port = free_port()
    waiting = Response(PUBLIC_URL, 503, {WAITING_HEADER: WAITING}, b"")
    tunnel = Tunnel(PUBLIC_URL, port, answer=waiting)
    assert ids(judge_instance(look_at_instance(tunnel, port, PUBLIC_URL), GOOD)) == ["LA520"]
    # LibreChat is running, but the tunnel waits for one on another port.
    assert ids(found(LibreChat(GOOD), answer=waiting)) == ["LA532"]


def test_another_program_is_on_the_port() -> None:
    librechat = LibreChat(GOOD, is_ready=False)
    librechat_says_nothing = Tunnel(PUBLIC_URL, 0, answer=_refused(PUBLIC_URL))
    with running(librechat):
        instance = look_at_instance(librechat_says_nothing, librechat.port, "")
        assert ids(judge_instance(instance, GOOD)) == ["LA535"]
    other = _OtherProgram()
    assert ids(judge_instance(look_at_instance(other, 3080, ""), GOOD)) == ["LA521"]


class _OtherProgram:
    def request(self, method: str, url: str, **_: Any) -> Response:
        return Response(url, 200, {"content-type": "text/html"}, b"<h1>It works!</h1>")


def _refused(url: str, trouble: Trouble = Trouble.REFUSED) -> NetworkError:
    return NetworkError(trouble, url)


def _ngrok(code: str, status: int) -> Callable[[str], Response]:
    return lambda url: Response(url, status, {"ngrok-error-code": code}, b"")


def _status(status: int) -> Callable[[str], Response]:
    return lambda url: Response(url, status, {}, b"")


@pytest.mark.parametrize(
    ("public_url", "answer", "rule"),
    [
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_3200", 404), "LA530"),
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_8012", 502), "LA345"),
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_3004", 502), "LA345"),
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_725", 403), "LA343"),
        ("https://own.example.com", _ngrok("ERR_NGROK_727", 403), "LA343"),
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_734", 429), "LA344"),
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_338", 403), "LA339"),
        ("https://abc.ngrok-free.app", _ngrok("ERR_NGROK_7250", 403), "LA531"),
        ("https://abc.loca.lt", _status(404), "LA530"),
        ("https://abc.trycloudflare.com", _status(530), "LA530"),
        ("https://gone.example.com", lambda url: _refused(url, Trouble.NAME), "LA530"),
        ("https://localhost:3443", _refused, "LA530"),
        ("https://chat.example.com", _refused, "LA531"),
        ("https://chat.example.com", lambda url: _refused(url, Trouble.TIMEOUT), "LA531"),
        ("https://chat.example.com", _status(401), "LA531"),
        ("https://chat.example.com", _status(502), "LA532"),
        ("https://chat.example.com", lambda url: _refused(url, Trouble.UNTRUSTED), "LA534"),
        (
            "https://chat.example.com",
            lambda url: Response(url, 200, {}, b'{"serverDomain": "https://other.example.com"}'),
            "LA532",
        ),
    ],
)
def test_public_url(
    public_url: str, answer: Callable[[str], Response | NetworkError], rule: str
) -> None:
    values = {**GOOD, "DOMAIN_SERVER": public_url}
    found_there = ids(found(LibreChat(values), values, answer=answer(public_url)))
    assert rule in found_there
    assert len({*found_there} & {"LA530", "LA531", "LA532", "LA339", "LA343", "LA344", "LA345"}) < 2


def test_checks_the_running_librechat_even_without_the_public_url() -> None:
    librechat = LibreChat({**GOOD, "OPENID_SCOPE": "openid"})
    findings = found(librechat, answer=_refused(PUBLIC_URL, Trouble.NAME))
    assert ids(findings) == ["LA530", "LA524"]


@pytest.mark.parametrize("public_url", ["", "localhost", "http://[", "https://a b", "x://y"])
def test_invalid_urls(public_url: str) -> None:
    with running(LibreChat(GOOD)) as librechat:
        instance = look_at_instance(Https({}), librechat.port, public_url)
        assert instance.config is not None
        judge_instance(instance, {**GOOD, "DOMAIN_SERVER": public_url})


@pytest.mark.parametrize(
    "body",
    [
        b'{"serverDomain": null, "socialLogins": 5, "openidLabel": {}, "buildInfo": []}',
        b'{"serverDomain": "\\u001b[31m", "socialLogins": [1, {"a": 2}, null]}',
        b'{"serverDomain": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b"[1]",
        b"",
    ],
)
def test_hostile_configuration(body: bytes) -> None:
    class Hostile:
        def request(self, method: str, url: str, **_: Any) -> Response:
            location = {"location": "http://[//?client_id=" + "x" * 10_000}
            return Response(url, 302 if "oauth" in url else 200, location, body, ("connect.sid",))

    for finding in judge_instance(look_at_instance(Hostile(), 3080, PUBLIC_URL), GOOD):
        assert len(finding.detail) < 1000


def test_every_rule_is_covered() -> None:
    """Each rule of the running LibreChat is named in a test above."""
    from pathlib import Path

    text = Path(__file__).read_text("utf-8")
    assert not [rule.id for rule in INSTANCE_RULES if f'"{rule.id}"' not in text]
