from __future__ import annotations

from collections.abc import Sequence

import pytest

from wizard.auth0.access import Policy, Who, policy_of
from wizard.settings import InvalidValue


@pytest.mark.parametrize(
    ("options", "policy"),
    [
        ({}, None),
        ({"users": ["Ada@Example.org"]}, Policy(Who.PEOPLE, ("Ada@example.org",))),
        (
            {"users": ["ada@x.org, 'bo@x.org'", "ADA@x.org"]},
            Policy(Who.PEOPLE, ("ada@x.org", "bo@x.org")),
        ),
        (
            {"users": ["ada@x.org"], "admins": ["Bo@x.org", "Ada@x.org"]},
            Policy(Who.PEOPLE, ("ada@x.org", "Bo@x.org"), (), ("Bo@x.org", "Ada@x.org")),
        ),
        ({"domains": ["@X.org", "y.org"]}, Policy(Who.DOMAINS, (), ("x.org", "y.org"))),
        (
            {"domains": ["x.org"], "admins": ["ada@X.org"]},
            Policy(Who.DOMAINS, (), ("x.org",), ("ada@x.org",)),
        ),
        ({"anybody": True}, Policy(Who.ANYBODY)),
        ({"admins": ["ada@x.org"]}, Policy(Who.UNCHANGED, (), (), ("ada@x.org",))),
    ],
)
def test_the_options_make_one_policy(
    options: dict[str, Sequence[str]], policy: Policy | None
) -> None:
    assert policy_of(**options) == policy  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"users": ["ada"]}, "ada is not an email"),
        ({"users": ["ada@localhost"]}, "not an email"),
        ({"users": ["<ada@x.org>"]}, "not an email"),
        ({"users": ["a da@x.org"]}, "not an email"),
        ({"domains": ["*.x.org"]}, "not a domain"),
        ({"domains": ["https://x.org"]}, "not a domain"),
        ({"users": ["ada@x.org"], "domains": ["x.org"]}, "Choose one"),
        ({"users": ["ada@x.org"], "anybody": True}, "Choose one"),
        ({"domains": ["x.org"], "admins": ["ada@sub.x.org"]}, "none of the domains"),
    ],
)
def test_rejects_an_invalid_policy(options: dict[str, Sequence[str]], reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        policy_of(**options)  # type: ignore[arg-type]
