"""`init` rejects every value from Auth0 that `doctor` reports as an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from wizard.doctor.registry import FILE_CHECKS, diagnose
from wizard.doctor.subject import planned
from wizard.findings import Severity
from wizard.known import Known
from wizard.librechat.env_file import EnvFile
from wizard.librechat.runner import UNKNOWN
from wizard.settings import InvalidValue, issuer_of, pasted
from wizard.steps.questions import (
    AUDIENCES,
    CLIENT_ID,
    CLIENT_SECRET,
    DOMAIN,
    PUBLIC_URL,
    Question,
)

GOOD = {
    "OPENID_ISSUER": "https://dev-abc.us.auth0.com",
    "OPENID_CLIENT_ID": "kT3vX8mQ2nL5pR7wZ1yB4cD6fG9hJ0sA",
    "OPENID_CLIENT_SECRET": "w" + "xY7-aB_4" * 7 + "rstuvw3",
    "OPENID_AUDIENCE": "https://api.librechat.ai",
    "DOMAIN_SERVER": "https://chat.example.com",
}
QUESTIONS: dict[str, Question] = {
    "OPENID_ISSUER": DOMAIN,
    "OPENID_CLIENT_ID": CLIENT_ID,
    "OPENID_CLIENT_SECRET": CLIENT_SECRET,
    "OPENID_AUDIENCE": AUDIENCES,
    "DOMAIN_SERVER": PUBLIC_URL,
}
KNOWN = Known(
    "dev-abc.us.auth0.com",
    GOOD["OPENID_CLIENT_ID"],
    GOOD["OPENID_CLIENT_SECRET"],
    (GOOD["OPENID_AUDIENCE"],),
    GOOD["DOMAIN_SERVER"],
)
BAD = [
    "••••••••",
    "<your value>",
    "{yours}",
    "your-tenant.us.auth0.com",
    "changeme",
    "todo",
    "two words",
    "a\u200bb.example.com",
    "$(openssl rand -hex 32)",
    "http://dev-abc.us.auth0.com",
    "https://manage.auth0.com/dashboard/us/dev-abc/applications",
    "https://dev-abc.us.auth0.com/api/v2/",
    "https://dev-abc.us.auth0.com/userinfo",
    "me@example.com",
    "tpc_kT3vX8mQ2nL5pR7wZ1yB4cD6",
    "ijn-geheim-é",
    "abc••••def",
    "x" * 700,
    *GOOD.values(),
]


def errors(path: Path, name: str, value: str) -> set[str]:
    """Return doctor's errors about the variable in an otherwise correct file."""
    text = "".join(f"{key}='{each}'\n" for key, each in {**GOOD, name: value}.items())
    subject = planned(path, EnvFile.from_bytes(text.encode()), {}, UNKNOWN)
    return {
        each.rule.id
        for each in diagnose(subject, FILE_CHECKS)
        if each.severity is Severity.ERROR and each.variable == name
    }


@pytest.mark.parametrize("name", QUESTIONS)
def test_rejects_what_doctor_reports(tmp_path: Path, name: str) -> None:
    question = QUESTIONS[name]
    taken: dict[str, set[str]] = {}
    for text in BAD:
        try:
            value = question.value(pasted(text), KNOWN.having(question.name, None))
        except InvalidValue:
            continue
        written = ",".join(value) if isinstance(value, tuple) else str(value)
        if question is DOMAIN:
            written = issuer_of(written)
        taken[text] = errors(tmp_path / ".env", name, written)

    assert not {text: rules for text, rules in taken.items() if rules}


SAME = {"public_url": {"audiences"}, "audiences": {"public_url"}}


@pytest.mark.parametrize("given", QUESTIONS.values(), ids=lambda each: each.name)
@pytest.mark.parametrize("other", QUESTIONS.values(), ids=lambda each: each.name)
def test_no_question_accepts_the_value_of_another(given: Question, other: Question) -> None:
    value = KNOWN.value(other.name)
    text = value[0] if isinstance(value, tuple) else str(value)
    known = KNOWN.having(given.name, None)
    if given is other or other.name in SAME.get(given.name, ()):
        given.value(text, known)
    else:
        with pytest.raises(InvalidValue):
            given.value(text, known)
