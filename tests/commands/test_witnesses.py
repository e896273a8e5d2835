"""Requests through a tunnel prove a sign-in or name what is missing; cookies are not kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

import pytest

from wizard.rules import rule
from wizard.sign_in_traffic import Passage, Step, passage, record, recorded
from wizard.steps.through_librechat import (
    NOTHING,
    REFUSED,
    SESSION,
    Sighting,
    Witness,
    inspected,
    sighting_of,
    specific,
    tunnel_witness,
)
from wizard.tunnels.local_api import LocalApi

BEFORE, SINCE = 900.0, 1000.0
HOME = ("Location", "https://chat.field.test")
LOGIN = ("Location", "https://chat.field.test/login?redirect=false&error=auth_failed")
FAILURE = ("Location", "https://chat.field.test/oauth/error")
HELD = ("Set-Cookie", "refreshToken=a-value; Path=/; HttpOnly")
GONE = ("set-cookie", "refreshToken=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT")


def callback(status: int = 302, *fields: tuple[str, str], at: float = 1001.0) -> Passage:
    found = passage(Step.CALLBACK, status, fields, at)
    assert found is not None
    return found


def user(status: int, at: float = 1002.0) -> Passage:
    return Passage(at, Step.USER, status)


@pytest.mark.parametrize(
    ("passages", "seen", "rules"),
    [
        ([], 0, []),
        ([callback(302, HOME, HELD, at=BEFORE), user(200, BEFORE)], 0, []),
        ([callback(302, HOME, HELD)], 2, []),
        ([callback(302, HOME, HELD), user(200)], 3, []),
        ([callback(302, HOME, HELD), user(401), user(304)], 3, []),
        ([callback(302, HOME, HELD), user(401)], 2, []),
        ([callback(302, HOME, HELD), *[user(401)] * 3], 2, ["LA436"]),
        ([user(200, BEFORE), callback(302, HOME, HELD)], 2, []),
        ([callback(302, HOME)], 1, ["LA581"]),
        ([callback(302, HOME, GONE)], 1, ["LA581"]),
        ([callback(302, LOGIN)], 0, ["LA436"]),
        ([callback(302, FAILURE)], 0, ["LA436"]),
        ([callback(302, LOGIN), callback(302, HOME, HELD, at=1003.0), user(200, 1004.0)], 3, []),
        ([callback(400)], 0, ["LA436"]),
        ([callback(500)], 0, ["LA436"]),
        ([callback(429)], 0, ["LA533"]),
    ],
)
def test_judges_the_requests(passages: list[Passage], seen: int, rules: list[str]) -> None:
    sighting = sighting_of(passages, SINCE, reuse=True)

    assert len(sighting.seen) == seen
    assert len(sighting.not_seen) == 3 - seen
    assert [each.rule.id for each in sighting.findings] == rules
    assert sighting.is_proof is (seen == 3)


def test_does_not_blame_auth0_for_a_missing_cookie_without_token_reuse() -> None:
    (finding,) = sighting_of([callback(302, HOME)], SINCE, reuse=False).findings

    assert finding.rule is REFUSED


def test_a_known_cause_replaces_an_unknown_one() -> None:
    cause, other = rule("LA585").finding("one"), rule("LA585").finding("two")

    assert specific([REFUSED.finding(), cause, other]) == (cause,)
    assert specific([REFUSED.finding()]) == (REFUSED.finding(),)
    assert specific([]) == ()


def test_witnesses_complete_each_other() -> None:
    page = sighting_of([callback(302, HOME, HELD)], SINCE, reuse=True)

    assert not page.is_proof
    assert (Sighting(frozenset({SESSION})) | page | NOTHING).is_proof


def test_ignores_other_requests() -> None:
    assert passage("/api/messages", 200, [HELD], SINCE) is None


def test_takes_an_invalid_location_for_no_error() -> None:
    assert not callback(302, ("Location", "http://[/login?error=auth_failed")).is_refused


def test_a_tunnel_saves_presence_but_no_value(tmp_path: Path) -> None:
    witness = tunnel_witness("the tunnel", partial(recorded, tmp_path, 3080), reuse=True)
    assert not witness.is_present(0)

    record(tmp_path, 3080, callback(302, HOME, HELD))
    record(tmp_path, 3080, user(200))
    record(tmp_path, 4080, callback(302, LOGIN))

    (kept,) = tmp_path.rglob("3080.json")
    assert not [each for each in ("a-value", "chat.field.test") if each in kept.read_text()]
    assert witness.is_present(SINCE)
    assert witness.look(SINCE).is_proof


def test_keeps_only_the_last_requests(tmp_path: Path) -> None:
    for number in range(60):
        record(tmp_path, 3080, user(200, float(number)))

    assert [each.at for each in recorded(tmp_path, 3080)] == list(map(float, range(20, 60)))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '[{"at": null}]', '[{"at": 1, "step": "/"}]'])
def test_ignores_a_damaged_file(content: str, tmp_path: Path) -> None:
    record(tmp_path, 3080, user(200))
    (kept,) = tmp_path.rglob("3080.json")
    kept.write_text(content)

    assert list(recorded(tmp_path, 3080)) == []


class Inspector(LocalApi):
    """ngrok's agent API, https://ngrok.com/docs/agent/api/."""

    def __init__(self, *requests: Mapping[str, object]) -> None:
        self.requests = list(requests)

    def get(self, address: str, path: str) -> Mapping[str, object] | None:
        return {"requests": self.requests}


def inspector(*requests: Mapping[str, object]) -> Witness:
    passages = partial(inspected, Inspector(*requests), ["127.0.0.1:4040"])
    return tunnel_witness("ngrok's inspector", passages, reuse=True)


def captured(uri: str, status: int, **headers: list[str]) -> dict[str, object]:
    return {
        "start": "1970-01-01T01:16:41.5+01:00",
        "request": {"method": "GET", "uri": uri},
        "response": {
            "status_code": status,
            "headers": {name.replace("_", "-"): each for name, each in headers.items()},
        },
    }


def test_reads_the_requests_of_ngroks_inspector() -> None:
    back = captured(
        f"{Step.CALLBACK}?code=abc",
        302,
        Location=["https://chat.field.test"],
        Set_Cookie=["connect.sid=x", "refreshToken=y; Path=/"],
    )
    witness = inspector(captured(Step.USER, 200), back)

    assert witness.is_present(SINCE)
    assert witness.look(SINCE).is_proof


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"request": None, "response": None},
        {"start": "soon", "request": {"method": "GET", "uri": Step.USER}, "response": {}},
        {**captured(Step.USER, 200), "response": {"status_code": "none"}},
        captured("/elsewhere", 200),
    ],
)
def test_survives_any_output_of_the_inspector(broken: dict[str, object]) -> None:
    witness = inspector(broken)

    assert witness.look(0) == NOTHING


def test_knows_only_the_presence_of_a_cookie() -> None:
    known = callback(302, HOME, HELD)._asdict()

    assert known.keys() == {"at", "step", "status", "has_refresh_token", "is_refused"}
