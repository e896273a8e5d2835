"""Secrets are masked wherever their values appear, our own words never."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from io import StringIO

import pytest

from tests.doctor.cases import CASES, Case, env, subject
from wizard.commands.report import report_text
from wizard.doctor.examine import Examination
from wizard.doctor.registry import diagnose
from wizard.doctor.subject import Subject
from wizard.execution import envelope
from wizard.findings import ExitCode
from wizard.language import Message
from wizard.librechat.env_file import EnvFile
from wizard.librechat.variables import is_secret, known_names
from wizard.ui.console import Console

# Recognized by the name of their variable; the format is nothing special.
BY_NAME = {
    "SMTP_PW": "kelp otter",
    "SMTP_PASSWORD": "Puffin77",
    "JWT_SECRET": "walrus",
    "MY_DSN": "postgres://sealion:Narwhal-5@db/x",
    "SOME_API_KEY": "krill(.*)+krill",
    "RSA_PRIVATE_KEY": "-----BEGIN KEY-----\nMIIEowIBAAKCAQEAx4\n-----END KEY-----",
}
SECRETS = (
    "kelp otter",
    "Puffin77",
    "walrus",
    "Narwhal-5",
    "krill(.*)+krill",
    "MIIEowIBAAKCAQEAx4",
    # Recognized by their format, in variables with ordinary names.
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "sk-proj-T3BlbkFJabc123",
    "AIzaSyD4-tE8x2Qq7o0",
    "glpat-xY7_abc123DEF456",
    "xoxb-1234567890-abcdefGH",
    "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln",
)


def with_secrets(text: str) -> str:
    """Return the file with variables that contain secrets."""
    named = (f'{name}="{value}"' for name, value in BY_NAME.items())
    return "\n".join([*named, text])


def all_that_is_shown(checked: Subject) -> str:
    """Return what `doctor`, its JSON and `report` show of the findings."""
    found = diagnose(checked)
    stdout, stderr = StringIO(), StringIO()
    console = Console(stdout=stdout, stderr=stderr)
    for finding in found:
        console.finding(finding)
    console.data(envelope("doctor", ExitCode.OK, found, {}))
    report = report_text(Examination(checked, None, found))
    return "\n".join([stdout.getvalue(), json.loads(json.dumps(stderr.getvalue())), report])


@pytest.mark.parametrize("name", [name for name in known_names() if not is_secret(name)])
def test_masks_a_secret_in_any_value(name: str) -> None:
    for secret in SECRETS:
        for value in (secret, f"https://x.example.com/{secret}?a={secret}#{secret}", f"a {secret}"):
            shown = all_that_is_shown(subject(with_secrets(env(**{name: value}))))
            assert secret.lower() not in shown.lower(), value


def test_masks_a_secret_that_compose_passes_on() -> None:
    lines = "".join(f"      - X{n}_KEY={secret}\n" for n, secret in enumerate(SECRETS))
    compose = f"services:\n  api:\n    image: {SECRETS[1]}\n    environment:\n{lines}"
    for secret in SECRETS:
        text = env(OPENID_SCOPE=secret, OPENID_ISSUER=f"https://{secret}")
        shown = all_that_is_shown(subject(text, compose=compose))
        assert secret.lower() not in shown.lower()


def own_words(text: str) -> Iterator[str]:
    """Return our own words in a message: those of its templates."""
    if isinstance(text, Message):
        yield from re.findall(r"[^\W_]{4,}", re.sub(r"\{\w+\}", " ", text.template))
        for value in text.values.values():
            if isinstance(value, str):
                yield from own_words(value)


def skeleton(text: str) -> object:
    """Return the message without foreign strings."""
    if not isinstance(text, Message):
        return None
    values = text.values.items()
    return text.template, {
        name: skeleton(value) if isinstance(value, str) else value for name, value in values
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_never_masks_our_own_words(case: Case) -> None:
    """Not even one that is also a secret, such as the command in a fix."""
    before = [each for each in diagnose(case.broken) if each.rule.id == case.rule]
    texts = [text for each in before for text in (each.detail, each.fix, Message(each.rule.fix))]
    words = {word for text in texts for word in own_words(text)}
    words |= {each.rule.fix for each in before}
    secrets = (
        f"W{number}_API_KEY='{word}'"
        for number, word in enumerate(sorted(words))
        if "'" not in word
    )
    file = EnvFile("\n".join([case.broken.file.text, *secrets]))
    after = [
        each for each in diagnose(case.broken._replace(file=file)) if each.rule.id == case.rule
    ]
    assert [skeleton(each.detail) for each in after] == [skeleton(each.detail) for each in before]
    for one, other in zip(after, before, strict=True):
        assert isinstance(other.detail, Message), "a foreign string and our own words look the same"
        assert one.fix == other.fix or skeleton(one.fix) == skeleton(other.fix) is not None
