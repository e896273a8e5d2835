"""The Action's code, run by Node, decides as its model in Python does."""

from __future__ import annotations

import json
import subprocess
from itertools import product
from pathlib import Path

import pytest

from tests.tenant.action import Verdict, judge_sign_in
from wizard.auth0.access import ADMIN_ROLE, ROLES_CLAIM, USER_ROLE, Policy, Who
from wizard.auth0.access_action import (
    ActionSettings,
    Closed,
    action_code,
    read_action,
    role_name,
    roles_of,
    settings_to_paste,
)

CLIENT = "Zy9Xw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0Fe"
NODE = Path(__file__).parent.parent / "node"
OWNER = "ada@example.org"
SETTINGS = (
    ActionSettings(CLIENT, Who.ANYBODY, roles=roles_of(CLIENT)),
    ActionSettings(CLIENT, Who.PEOPLE, roles=roles_of(CLIENT), closed=Closed(("con_1",), ())),
    ActionSettings(CLIENT, Who.DOMAINS, ("example.org",), roles_of(CLIENT)),
    settings_to_paste(Policy(Who.PEOPLE, ("Ada@Example.org", "bo@x.io"), (), (OWNER,)), CLIENT),
    settings_to_paste(Policy(Who.DOMAINS, (), ("x.io",), ("ada@x.io",)), CLIENT),
    settings_to_paste(Policy(Who.PEOPLE, ('o"</script>\u2028@x.io',)), CLIENT),
)
ADDRESSES = (
    OWNER,
    "ADA@x.io",
    "bo@x.io",
    "eve@sub.example.org",
    "a@b@example.org",
    "",
    "__proto__",
)
HELD: tuple[tuple[str, ...], ...] = (
    (),
    (role_name(USER_ROLE, CLIENT),),
    (role_name(ADMIN_ROLE, CLIENT), "theirs"),
    (role_name(ADMIN_ROLE, "another application"), ADMIN_ROLE),
)


@pytest.mark.needs("node")
def test_node_and_the_demo_tenant_agree() -> None:
    cases = [*product(SETTINGS, (CLIENT, "another"), ADDRESSES, HELD, (True, False))]
    events = [
        {
            "code": action_code(settings),
            "event": {
                "client": {"client_id": client},
                "user": {"email": address, "email_verified": verified},
                "authorization": {"roles": held},
            },
        }
        for settings, client, address, held, verified in cases
    ]
    ran = subprocess.run(
        ["node", "run_action.cjs"],
        input=json.dumps(events),
        cwd=NODE,
        capture_output=True,
        text=True,
        check=True,
    )
    verdicts = set()
    for (settings, client, address, held, verified), done in zip(
        cases, json.loads(ran.stdout), strict=True
    ):
        expected = judge_sign_in(settings, client, address, held, verified=verified)
        claims = {} if expected.roles is None else {ROLES_CLAIM: [*expected.roles]}
        assert done == {"denial": expected.denial, "claims": claims}, (settings, address, held)
        verdicts.add(expected)

    assert len(verdicts) == 5  # no change, both denials, a user, an administrator


@pytest.mark.needs("node")
def test_an_event_without_optional_parts_is_denied() -> None:
    code = action_code(SETTINGS[1])
    event = {"client": {"client_id": CLIENT}, "user": {}}
    ran = subprocess.run(
        ["node", "run_action.cjs"],
        input=json.dumps([{"code": code, "event": event}]),
        cwd=NODE,
        capture_output=True,
        text=True,
        check=True,
    )

    assert json.loads(ran.stdout)[0]["denial"]


def test_settings_can_be_read_back_from_the_code() -> None:
    for settings in SETTINGS:
        assert read_action(action_code(settings)) == settings
    for other in ("", "// theirs", "// librechat-auth0 access, version 1: {}", "// librechat"):
        assert read_action(other) is None


def test_ignores_other_applications() -> None:
    assert judge_sign_in(SETTINGS[1], "another", OWNER, (), verified=False) == Verdict()
