"""Token responses that LibreChat's OpenID library and `verify` accept or reject."""

from __future__ import annotations

import json
import random
import subprocess
import time
from typing import Any

import jwt
import pytest

from tests.auth0.scripted import AUDIENCE, CLIENT_ID, SETTINGS, jwk, metadata, signing_key
from tests.librechat.readers import NODE_FOLDER
from tests.seed import SEED
from wizard.auth0.error_table import Check
from wizard.auth0.tenant import judge_metadata
from wizard.auth0.tokens import Expected, Judgement, judge_tokens, read_tokens
from wizard.findings import Outcome
from wizard.http import Response

NONCE = "nonce-of-this-sign-in"
DISCOVERY, _ = judge_metadata(metadata(), SETTINGS)
assert DISCOVERY is not None
ALGORITHMS = ["RS256"]
MISSING = object()

Json = dict[str, Any]

# Values that replace a claim or a member of the response.
ODD: tuple[object, ...] = (
    MISSING,
    None,
    "",
    "x",
    "3600",
    " 12.5s",
    "-5",
    -1,
    0,
    1,
    1.5,
    True,
    {},
    [],
)
OF_TIME = (*ODD, 9_999_999_999, "9999999999", 1e300, -1e9)
OF_AUDIENCE: tuple[object, ...] = (
    [CLIENT_ID],
    [CLIENT_ID, AUDIENCE],
    [AUDIENCE, CLIENT_ID, "x"],
    [AUDIENCE],
    AUDIENCE,
    [],
    MISSING,
    7,
)
ANSWER = {
    "token_type": (*ODD, "bearer", "BEARER", "mac", "N_A"),
    "expires_in": (*ODD, "Infinity", ".5", "1e3"),
    "scope": ODD,
    "refresh_token": ODD,
}
CLAIMS = {
    "iat": OF_TIME,
    "exp": OF_TIME,
    "nbf": OF_TIME,
    "auth_time": OF_TIME,
    "aud": OF_AUDIENCE,
    "azp": (CLIENT_ID, "evil", MISSING, 7),
    "iss": ("https://evil.test/", MISSING, 7),
    "sub": (MISSING,),
    "nonce": (MISSING, "other", 7),
}


def good(now: float) -> tuple[Json, Json, Json]:
    """Return the response without its tokens, and the claims of both tokens."""
    assert DISCOVERY is not None
    claims = {"iss": DISCOVERY.issuer, "sub": "auth0|7", "iat": now, "exp": now + 3600}
    answer = {"token_type": "Bearer", "expires_in": 3600, "refresh_token": "r"}
    id_claims = {**claims, "aud": CLIENT_ID, "nonce": NONCE, "email": "jo@field.test"}
    return answer, id_claims, {**claims, "aud": [AUDIENCE]}


def changed(values: Json, name: str, value: object) -> Json:
    rest = {key: each for key, each in values.items() if key != name}
    return rest if value is MISSING else {**rest, name: value}


def signed(claims: Json, header: Json | None = None) -> str:
    signer = jwt.api_jws.PyJWS()  # jwt.encode rejects claims of a wrong type
    headers = {"kid": "key-1", "typ": "JWT", **(header or {})}
    return signer.encode(json.dumps(claims).encode(), signing_key(), "RS256", headers)


def cases(now: float) -> list[tuple[Json, bool]]:
    """Yield each single change, and several at once, for a first and for a refreshed response."""
    singles = [("answer", name, value) for name, values in ANSWER.items() for value in values]
    singles += [("claims", name, value) for name, values in CLAIMS.items() for value in values]
    drawn = random.Random(SEED)
    changes = [[each] for each in singles] + [drawn.sample(singles, 2) for _ in range(400)]
    changes += [
        [("claims", "aud", audience), ("claims", "azp", party)]
        for audience in CLAIMS["aud"]
        for party in CLAIMS["azp"]
    ]
    found = []
    for change in [[], *changes]:
        answer, claims, access = good(now)
        for where, name, value in change:
            if where == "answer":
                answer = changed(answer, name, value)
            else:
                claims = changed(claims, name, value)
        answer |= {"access_token": signed(access), "id_token": signed(claims)}
        found += [(answer, False), (answer, True)]
    return found


def library(asked: list[tuple[Json, bool]]) -> list[str | None]:
    """Return why the library rejects each response, or None where it accepts it."""
    assert DISCOVERY is not None
    known = {
        "issuer": DISCOVERY.issuer,
        "client_id": CLIENT_ID,
        "nonce": NONCE,
        "algorithms": ALGORITHMS,
    }
    question = [{"answer": answer, "refreshed": again, **known} for answer, again in asked]
    done = subprocess.run(
        ["node", "openid_client.mjs"],
        cwd=NODE_FOLDER,
        input=json.dumps(question),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[str | None] = json.loads(done.stdout)
    return answers


def ours(answer: Json, again: bool, now: float) -> Judgement:
    assert DISCOVERY is not None
    expected = Expected(SETTINGS, DISCOVERY, (jwk(),), NONCE, now)
    read = read_tokens(Response("https://t.test/", 200, {}, json.dumps(answer).encode()))
    if not again:
        return judge_tokens(expected, read, None)
    first, id_claims, access = good(now)
    first |= {"access_token": signed(access), "id_token": signed(id_claims)}
    before = read_tokens(Response("https://t.test/", 200, {}, json.dumps(first).encode()))
    return judge_tokens(expected, before, read)


def takes(judgement: Judgement, again: bool) -> bool:
    looked_at = {Check.REFRESHED} if again else {Check.EXCHANGE, Check.ID_TOKEN}
    return not any(
        each.check in looked_at and each.outcome is Outcome.FAILED for each in judgement.results
    )


@pytest.mark.needs("node")
def test_agrees_with_librechats_library() -> None:
    now = time.time()
    asked = cases(now)

    refused = library(asked)

    for (answer, again), reason in zip(asked, refused, strict=True):
        judgement = ours(answer, again, now)
        assert takes(judgement, again) == (reason is None), (answer, again, reason, judgement)
    assert refused[:2] == [None, None]
    assert sum(reason is None for reason in refused) > 100


def test_names_the_rule_of_a_rejected_response() -> None:
    now = time.time()
    answer, claims, access = good(now)
    tokens = {"access_token": signed(access), "id_token": signed(claims)}
    no_type = ours({**changed(answer, "token_type", MISSING), **tokens}, False, now)
    several = {**tokens, "id_token": signed({**claims, "aud": [CLIENT_ID, "evil"]})}

    assert [each.rule.id for each in no_type.findings] == ["LA420"]
    assert "token_type" in no_type.findings[0].detail
    (finding,) = ours({**answer, **several}, False, now).findings
    assert (finding.rule.id, "azp" in finding.detail) == ("LA421", True)


@pytest.mark.parametrize("number", ["NaN", "Infinity"])
def test_rejects_numbers_that_json_does_not_have(number: str) -> None:
    now = time.time()
    answer, claims, access = good(now)
    signer = jwt.api_jws.PyJWS()
    payload = json.dumps({**claims, "nbf": 0}).replace('"nbf": 0', f'"nbf": {number}')
    odd = signer.encode(payload.encode(), signing_key(), "RS256", {"kid": "key-1"})

    judgement = ours({**answer, "access_token": signed(access), "id_token": odd}, False, now)

    assert not takes(judgement, False)


def test_rejects_a_payload_in_another_encoding() -> None:
    now = time.time()
    answer, claims, access = good(now)
    signer = jwt.api_jws.PyJWS()
    odd = signer.encode(
        json.dumps(claims).encode("utf-16"), signing_key(), "RS256", {"kid": "key-1"}
    )

    judgement = ours({**answer, "access_token": signed(access), "id_token": odd}, False, now)

    assert not takes(judgement, False)


def test_rejects_a_critical_header() -> None:
    now = time.time()
    answer, claims, access = good(now)
    odd = signed(claims, {"crit": ["b64"], "b64": True})

    judgement = ours({**answer, "access_token": signed(access), "id_token": odd}, False, now)

    assert not takes(judgement, False)
