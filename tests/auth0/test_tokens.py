from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from tests.auth0.scripted import (
    AUDIENCE,
    CLIENT_ID,
    DOMAIN,
    NOW,
    SECRET,
    SETTINGS,
    WITHOUT_REUSE,
    html,
    json_answer,
    jwk,
    metadata,
    oauth,
    signing_key,
)
from tests.languages import speaking, untranslatable
from wizard.auth0.error_table import Check, OAuthError
from wizard.auth0.tenant import judge_metadata
from wizard.auth0.tokens import Expected, Judgement, Tokens, judge_tokens, read_tokens
from wizard.findings import Outcome

NONCE = "the-nonce"
ISSUER = f"https://{DOMAIN}/"
DISCOVERY, _ = judge_metadata(metadata(), SETTINGS)
assert DISCOVERY is not None
EXPECTED = Expected(SETTINGS, DISCOVERY, (jwk(),), NONCE, NOW)
OTHER_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
MAC_KEY = "k" * 64

ID_CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": CLIENT_ID,
    "sub": "auth0|123",
    "email": "ada@example.com",
    "email_verified": True,
    "nonce": NONCE,
    "iat": NOW,
    "exp": NOW + 36_000,
}
ACCESS_CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "aud": [AUDIENCE, f"{ISSUER}userinfo"],
    "sub": "auth0|123",
    "scope": "openid profile email offline_access",
    "iat": NOW,
    "exp": NOW + 86_400,
}


def signed(
    claims: dict[str, Any],
    key: Any = None,
    algorithm: str = "RS256",
    header: dict[str, Any] | None = None,
    **changed: Any,
) -> str:
    kept = {name: value for name, value in (claims | changed).items() if value is not None}
    return jwt.encode(kept, key or signing_key(), algorithm, {"kid": "key-1", **(header or {})})


def id_token(**how: Any) -> str:
    return signed(ID_CLAIMS, **how)


def access_token(**how: Any) -> str:
    return signed(ACCESS_CLAIMS, **how)


def segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


JWE = f"{segment({'alg': 'dir', 'enc': 'A256GCM'})}..aXY.Y2lwaGVy.dGFn"
UNSIGNED = f"{segment({'alg': 'none'})}.{segment(ACCESS_CLAIMS)}."
GOOD = Tokens(access_token(), id_token(), "v1.refresh", "openid profile email offline_access")


def judge(
    tokens: Tokens | OAuthError = GOOD,
    refreshed: Tokens | OAuthError | None = GOOD,
    expected: Expected = EXPECTED,
) -> Judgement:
    return judge_tokens(expected, tokens, refreshed)


def outcomes(judgement: Judgement) -> dict[Check, Outcome]:
    return {result.check: result.outcome for result in judgement.results}


def rules(judgement: Judgement) -> list[str]:
    return [finding.rule.id for finding in judgement.findings]


ALL_PROVED = dict.fromkeys(
    [Check.EXCHANGE, Check.ID_TOKEN, Check.ACCESS_TOKEN, Check.REFRESH_TOKEN, Check.REFRESHED],
    Outcome.PROVED,
)


def test_hs256_works_while_librechat_keeps_its_own_sessions() -> None:
    by_secret = replace(GOOD, id_token=id_token(key=MAC_KEY, algorithm="HS256"))
    judgement = judge(by_secret, None, replace(EXPECTED, settings=WITHOUT_REUSE))
    assert outcomes(judgement)[Check.ID_TOKEN] is Outcome.PROVED
    assert judgement.findings == ()
    for_others = replace(GOOD, id_token=id_token(key=MAC_KEY, algorithm="HS256", aud="other"))
    assert rules(judge(for_others, None, replace(EXPECTED, settings=WITHOUT_REUSE))) == ["LA407"]


def test_proves_a_good_sign_in() -> None:
    judgement = judge()
    assert outcomes(judgement) == ALL_PROVED
    assert judgement.findings == ()
    assert judgement.ok
    assert judgement.id_claims["email"] == "ada@example.com"
    assert judgement.access_claims["aud"] == f"{AUDIENCE}, {ISSUER}userinfo"
    assert judgement.id_claims["exp"] == "2026-09-22 00:13:20 UTC"
    assert "nonce" not in judgement.id_claims
    details = {result.check: result.detail for result in judgement.results}
    assert details[Check.ID_TOKEN] == (
        "A JSON Web Token signed RS256, valid for 10 hours, with the email address ada@example.com."
    )
    assert details[Check.ACCESS_TOKEN] == (
        f"A JSON Web Token signed RS256, valid for 24 hours, for {AUDIENCE}, {ISSUER}userinfo."
    )


@pytest.mark.parametrize("algorithm", ["RS384", "PS256"])
def test_accepts_each_rsa_signature_that_librechat_accepts(algorithm: str) -> None:
    key = {name: value for name, value in jwk().items() if name != "alg"}
    expected = replace(EXPECTED, keys=(key,))
    tokens = replace(GOOD, id_token=id_token(algorithm=algorithm))
    assert judge(tokens, expected=expected).ok


@pytest.mark.parametrize("changed", [{"aud": AUDIENCE}, {"nbf": NOW}, {"exp": NOW - 20}])
def test_accepts_harmless_differences_in_the_access_token(changed: dict[str, Any]) -> None:
    judgement = judge(replace(GOOD, access_token=access_token(**changed)))
    assert outcomes(judgement) == ALL_PROVED


BAD_ID_TOKENS = [
    ("", "LA402", "openid profile email", "openid"),
    ("opaque", "LA404", "ID token", "domain"),
    (JWE, "LA404", "ID token", "domain"),
    (id_token(key=MAC_KEY, algorithm="HS256"), "LA403", "HS256", f"{CLIENT_ID}/settings"),
    (f"{segment({'alg': 'none'})}.{segment(ID_CLAIMS)}.", "LA403", "none", "RS256"),
    (id_token(key=OTHER_KEY), "LA405", "key-1", "rotated"),
    (id_token(header={"kid": "unknown"}), "LA405", "unknown", "rotated"),
    (id_token(iss="https://evil.example/"), "LA406", "https://evil.example/", "one domain"),
    (id_token(iss=ISSUER.rstrip("/")), "LA406", DOMAIN, "one domain"),
    (id_token(aud="another"), "LA407", "another", "OPENID_CLIENT_ID"),
    (id_token(aud=None), "LA407", "nobody", "OPENID_CLIENT_ID"),
    (id_token(nonce="another"), "LA408", "", "Run the command again"),
    (id_token(nonce=None), "LA408", "", "Run the command again"),
    (id_token(exp=NOW - 400), "LA409", "expired 400 seconds ago", "clock"),
    (id_token(nbf=NOW + 400), "LA409", "becomes valid in 400 seconds", "clock"),
    (id_token(exp=None), "LA404", "exp", "domain"),
    (id_token(sub=7), "LA404", "sub", "domain"),
    (id_token(email=None), "LA410", "iss, nonce, sub", "email"),
    (id_token(email=""), "LA410", "email", "email"),
]


@pytest.mark.parametrize(("token", "rule", "detail", "fix"), BAD_ID_TOKENS)
def test_explains_a_bad_id_token(token: str, rule: str, detail: str, fix: str) -> None:
    judgement = judge(replace(GOOD, id_token=token))
    assert outcomes(judgement) == {**ALL_PROVED, Check.ID_TOKEN: Outcome.FAILED}
    (finding,) = judgement.findings
    assert finding.rule.id == rule
    assert detail in finding.detail
    assert fix in finding.fix
    assert not judgement.ok


BAD_ACCESS_TOKENS = [
    (JWE, "LA413", "", "JWE"),
    (access_token(key=MAC_KEY, algorithm="HS256"), "LA414", "HS256", "new API with RS256"),
    (UNSIGNED, "LA414", "none", "RS256"),
    (access_token(key=OTHER_KEY), "LA405", "access token", "rotated"),
    (access_token(iss="https://evil.example/"), "LA406", "access token", "one domain"),
    (access_token(aud="https://other"), "LA415", "https://other", "OPENID_AUDIENCE"),
    (access_token(aud=f"{AUDIENCE}/"), "LA415", f"{AUDIENCE}/;", "character by character"),
    (access_token(aud=7), "LA415", "nobody", "OPENID_AUDIENCE"),
    (access_token(exp=NOW - 301), "LA409", "access token", "clock"),
    (access_token(exp="soon"), "LA404", "exp", "domain"),
]


@pytest.mark.parametrize(("token", "rule", "detail", "fix"), BAD_ACCESS_TOKENS)
def test_explains_a_bad_access_token(token: str, rule: str, detail: str, fix: str) -> None:
    judgement = judge(replace(GOOD, access_token=token))
    assert outcomes(judgement) == {**ALL_PROVED, Check.ACCESS_TOKEN: Outcome.FAILED}
    (finding,) = judgement.findings
    assert finding.rule.id == rule
    assert detail in finding.detail
    assert fix in finding.fix


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.b.c.d.e", "x" * 100_000])
def test_an_opaque_access_token_works_in_newer_versions_only(token: str) -> None:
    """LibreChat v0.8.7 accepts one in a sign-in; before 0.8.3 it is the bearer token."""
    judgement = judge(replace(GOOD, access_token=token), replace(GOOD, access_token=token))

    likely = {Check.ACCESS_TOKEN: Outcome.LIKELY, Check.REFRESHED: Outcome.LIKELY}
    assert outcomes(judgement) == {**ALL_PROVED, **likely}
    (finding,) = judgement.findings
    assert (finding.rule.id, finding.severity.value) == ("LA412", "warning")
    assert AUDIENCE in finding.detail
    assert judgement.ok


@pytest.mark.parametrize(
    "bad",
    [replace(GOOD, id_token=token) for token, *_ in BAD_ID_TOKENS]
    + [replace(GOOD, access_token=token) for token, *_ in BAD_ACCESS_TOKENS]
    + [replace(GOOD, refresh_token="", scope=scope) for scope in ("", "offline_access")],
)
def test_every_finding_is_translated(bad: Tokens) -> None:
    judgement = judge(bad)
    texts = [text for it in judgement.findings for text in (it.detail, it.fix)]
    texts += [text for it in judgement.results for text in (it.title, it.detail)]
    assert untranslatable(texts) == []


def test_translates_a_text_inside_a_text() -> None:
    dutch = speaking(
        {
            "{token}, for {audience}.": "{token}, voor {audience}.",
            "A JSON Web Token signed {algorithm}, valid for {duration}": (
                "{duration} geldig, ondertekend met {algorithm}"
            ),
            "{count} hours": "{count} uur",
        }
    )
    judgement = judge(GOOD)
    (detail,) = (each.detail for each in judgement.results if each.check is Check.ACCESS_TOKEN)
    whom = f"{AUDIENCE}, {ISSUER}userinfo"
    assert detail == f"A JSON Web Token signed RS256, valid for 24 hours, for {whom}."
    assert dutch.say(detail) == f"24 uur geldig, ondertekend met RS256, voor {whom}."


def test_an_encrypted_token_without_an_api_is_an_opaque_one() -> None:
    settings = SETTINGS._replace(audiences=())
    judgement = judge(replace(GOOD, access_token=JWE), GOOD, replace(EXPECTED, settings=settings))
    assert rules(judgement) == ["LA412"]


def test_accepts_an_opaque_token_without_token_reuse() -> None:
    expected = replace(EXPECTED, settings=WITHOUT_REUSE)
    judgement = judge(Tokens("opaque", id_token()), None, expected)
    assert outcomes(judgement) == {
        Check.EXCHANGE: Outcome.PROVED,
        Check.ID_TOKEN: Outcome.PROVED,
        Check.ACCESS_TOKEN: Outcome.SKIPPED,
    }
    assert judgement.ok


@pytest.mark.parametrize(
    ("tokens", "rule"),
    [
        (replace(GOOD, id_token=id_token(email_verified=False)), "LA411"),
        (replace(GOOD, id_token=id_token(exp=NOW + 60)), "LA416"),
        (replace(GOOD, access_token=access_token(exp=NOW + 60)), "LA416"),
        (replace(GOOD, id_token=id_token(iat=NOW + 3600)), "LA219"),
    ],
)
def test_warns_about_harmless_differences(tokens: Tokens, rule: str) -> None:
    judgement = judge(tokens)
    assert rules(judgement) == [rule]
    assert judgement.ok


@pytest.mark.parametrize(
    ("scope", "detail", "fix"),
    [
        ("openid profile email", "did not grant offline_access", "turn on Allow Offline Access"),
        ("", "granted: nothing", "turn on Allow Offline Access"),
        ("openid offline_access", "gets none", "tick Refresh Token"),
    ],
)
def test_a_missing_refresh_token_names_the_setting(scope: str, detail: str, fix: str) -> None:
    judgement = judge(replace(GOOD, refresh_token="", scope=scope), None)
    assert outcomes(judgement)[Check.REFRESH_TOKEN] is Outcome.FAILED
    assert rules(judgement) == ["LA417"]
    assert detail in judgement.findings[0].detail
    assert fix in judgement.findings[0].fix


@pytest.mark.parametrize(
    ("refreshed", "rule"),
    [
        (OAuthError("invalid_grant", "Unknown or invalid refresh token."), "LA418"),
        (OAuthError("unauthorized_client", "Grant type 'refresh_token' not allowed"), "LA238"),
        (OAuthError("", "HTTP 500 without tokens"), "LA418"),
        (replace(GOOD, id_token=""), "LA419"),
        (replace(GOOD, access_token=access_token(aud="https://other")), "LA415"),
    ],
)
def test_explains_a_bad_refresh(refreshed: Tokens | OAuthError, rule: str) -> None:
    judgement = judge(GOOD, refreshed)
    assert outcomes(judgement) == {**ALL_PROVED, Check.REFRESHED: Outcome.FAILED}
    assert rules(judgement) == [rule]


def test_a_librechat_that_needs_rotation_gets_a_new_refresh_token() -> None:
    old = replace(EXPECTED, needs_rotation=True)
    assert judge(expected=old).ok
    kept = replace(GOOD, refresh_token="")
    assert judge(GOOD, kept).ok

    judgement = judge(GOOD, kept, old)

    assert rules(judgement) == ["LA417"]
    assert "Refresh Token Rotation" in judgement.findings[0].fix


def test_reports_a_fault_of_both_access_tokens_once() -> None:
    bad = replace(GOOD, access_token=access_token(key=MAC_KEY, algorithm="HS256"))
    judgement = judge(bad, bad)
    assert outcomes(judgement)[Check.REFRESHED] is Outcome.FAILED
    assert rules(judgement) == ["LA414"]


@pytest.mark.parametrize(
    ("error", "rule"),
    [
        (OAuthError("access_denied", "Unauthorized"), "LA237"),
        (OAuthError("invalid_grant", "Failed to verify code verifier"), "LA400"),
        (OAuthError("weird", f"\x1b[31m{SECRET}"), "LA400"),
    ],
)
def test_judges_only_the_exchange_without_tokens(error: OAuthError, rule: str) -> None:
    judgement = judge(error, None)
    assert outcomes(judgement) == {Check.EXCHANGE: Outcome.FAILED}
    assert rules(judgement) == [rule]
    assert SECRET not in judgement.findings[0].detail
    assert judgement.findings[0].detail.isprintable()


def test_shows_only_the_claims_of_a_token() -> None:
    smuggled = id_token(name=f"see {GOOD.access_token}", ansi="\x1b[31mred", deep={"a": [1]})
    judgement = judge(replace(GOOD, id_token=smuggled))
    shown = repr(judgement) + json.dumps(judgement.as_json()) + repr(GOOD) + repr(EXPECTED)
    for token in (GOOD.access_token, GOOD.id_token, GOOD.refresh_token, smuggled, "eyJ", SECRET):
        assert token not in shown
    assert judgement.id_claims["ansi"] == "red"
    assert "deep" not in judgement.id_claims


BEARER = {"access_token": "a", "token_type": "Bearer"}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (json_answer({**BEARER, "scope": "s"}), Tokens("a", "", "", "s")),
        (oauth("invalid_grant", "no", 403), OAuthError("invalid_grant", "no")),
        (json_answer({"access_token": "a"}, 400), OAuthError("", "HTTP 400 without tokens")),
        (json_answer({"access_token": 7}), OAuthError("", "HTTP 200 without tokens")),
        (html("portal"), OAuthError("", "HTTP 200 without tokens")),
    ],
)
def test_reads_the_token_endpoints_response(answer: Any, expected: Tokens | OAuthError) -> None:
    assert read_tokens(answer) == expected


CLAIM = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@given(
    st.one_of(
        st.text(),
        st.lists(st.text(alphabet="eyJ-_aA0", max_size=20)).map(".".join),
        st.tuples(
            st.dictionaries(st.sampled_from(["alg", "kid", "enc", "typ", "crit", "b64"]), CLAIM),
            st.dictionaries(st.sampled_from(sorted(ID_CLAIMS)), CLAIM),
        ).map(lambda parts: f"{segment(parts[0])}.{segment(parts[1])}.c2ln"),
    )
)
def test_survives_any_token(raw: str) -> None:
    judgement = judge(Tokens(raw or "x", raw, "r"), Tokens(raw or "x", raw))
    assert not judgement.ok
    assert all(finding.detail.isprintable() for finding in judgement.findings)


@given(st.dictionaries(st.sampled_from(sorted(ID_CLAIMS)), CLAIM, min_size=1))
def test_survives_any_signed_claims(changed: dict[str, Any]) -> None:
    raw = f"{segment({'alg': 'RS256', 'kid': 'key-1'})}.{segment({**ID_CLAIMS, **changed})}"
    signature = jwt.get_algorithm_by_name("RS256").sign(raw.encode(), signing_key())
    token = f"{raw}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
    judgement = judge(replace(GOOD, id_token=token))
    assert all(finding.detail.isprintable() for finding in judgement.findings)
