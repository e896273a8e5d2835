"""Properties for any answers, initial file and version: `init` and doctor agree."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.doctor.cases import (
    AUDIENCE,
    CASES,
    CLIENT_ID,
    CLIENT_SECRET,
    COMPOSE,
    DOMAIN,
    PUBLIC_URL,
    env,
    subject,
)
from tests.fakes import make_world
from tests.librechat.example import env_example
from tests.seed import SEED
from wizard.commands.init import run_init
from wizard.doctor.registry import FILE_CHECKS, can_be_fixed, diagnose, repairs
from wizard.doctor.subject import Subject
from wizard.findings import Finding, Severity
from wizard.steps.init_progress import InitResult
from wizard.steps.options import InitOptions
from wizard.steps.values import env_store, read_subject

RUNS = 120
VERSIONS = (
    *("0.7.6", "0.7.7", "0.7.8", "0.7.9-rc1", "0.7.9", "0.8.0-rc1", "0.8.0-rc2", "0.8.0"),
    *("0.8.1-rc1", "0.8.1", "0.8.2-rc2", "0.8.2", "0.8.3-rc1", "0.8.3", "0.8.4", "0.8.5"),
    *("0.8.6-rc1", "0.8.6", "0.8.7-rc1", "0.8.7", "0.8.8-rc1", "0.8.8-rc2", "0.8.8-rc3"),
    *("0.8.8-rc4", "0.8.8", "0.8.9-rc1", "0.8.9", "1.0.0", ""),
)
OLD_VALUES = (
    "OPENID_REUSE_TOKENS=true\nOPENID_AUDIENCE=urn:old\nOPENID_REFRESH_AUDIENCE=urn:old\n",
    "OPENID_SCOPE=openid,profile\nOPENID_CALLBACK_URL=/old\nALLOW_SOCIAL_LOGIN=yes\n",
    f"OPENID_CLIENT_ID=“{CLIENT_ID}”\nDOMAIN_SERVER='{PUBLIC_URL} '\nHOST=0.0.0.0.\n",
    "OPENID_ISSUER=\nOPENID_ISSUER=\n- OPENID_CLIENT_ID=x\nOPENID_SESSION_SECRET=short\n",
    "JWT_SECRET=$(openssl rand -hex 32)\nCREDS_KEY=abc\nOPENID_REQUIRED_ROLE=x\n",
    "HSTS_ENABLED=true\nOPENID_USE_OAUTH2=true\nPROXY=proxy:3128\nOPENID_NEW_NAME=1\n",
    'OPENID_BUTTON_LABEL="Auth0\nOPENID_USE_PKCE = true # yes\nMONGO_URI=mongodb://db/x\n',
)


@dataclass(frozen=True)
class Draw:
    """A folder, and the options of `init` there."""

    options: InitOptions
    existing: str | None
    example: str
    version: str
    compose: str

    def lay_out(self, folder: Path) -> None:
        folder.mkdir()
        package = {"name": "LibreChat", "version": f"v{self.version}" if self.version else ""}
        files = {
            "package.json": json.dumps(package),
            ".env": self.existing,
            ".env.example": self.example,
            "docker-compose.yml": self.compose,
        }
        for name, text in files.items():
            if text:
                (folder / name).write_bytes(text.encode())


def draws() -> Iterator[Draw]:
    lot = random.Random(f"{SEED} init")
    for number in range(RUNS):
        reuse = lot.choice((True, True, False))
        options = InitOptions(
            domain=lot.choice((DOMAIN, "login.example.com")),
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            audience=lot.choice((AUDIENCE, f"{AUDIENCE},urn:second", "an API of ours")),
            public_url=lot.choice((PUBLIC_URL, "https://localhost:3443", f"{PUBLIC_URL}:8443")),
            reuse_tokens=reuse,
            insists_on_reuse=reuse and lot.random() < 0.3,
            public_client=lot.random() < 0.2,
            port=lot.choice(("", "3081")),
            tunnel="none",
            offline=True,
            yes=True,
            force=lot.random() < 0.5,
        )
        example = lot.choice((env_example(), ""))
        old = [env_example(), env(), *OLD_VALUES, *(env(each) for each in OLD_VALUES)]
        existing = lot.choice((None, *old))
        if existing and lot.random() < 0.2:
            existing = existing.replace("\n", "\r\n")
        version = VERSIONS[number % len(VERSIONS)]
        yield Draw(options, existing, example, version, lot.choice(("", "", COMPOSE)))


def init(draw: Draw, folder: Path) -> InitResult:
    draw.lay_out(folder)
    return run_init(draw.options, make_world(folder).ports, lambda _: None)


def problems(folder: Path) -> list[Finding]:
    """Return the errors and warnings of `doctor --offline`."""
    ports = make_world(folder).ports
    gathered = read_subject(env_store(folder / ".env", ports), ports)
    return [each for each in diagnose(gathered, FILE_CHECKS) if each.severity is not Severity.NOTE]


def test_doctor_finds_nothing_that_init_did_not_announce(tmp_path: Path) -> None:
    written = 0
    for number, draw in enumerate(draws()):
        folder = tmp_path / str(number)
        result = init(draw, folder)
        if not result.is_up_to_date:
            assert any(each.severity is Severity.ERROR for each in result.findings), draw
            continue
        written += 1
        reported = {(each.rule.id, each.variable) for each in result.findings}
        left = " ".join(each.detail for each in result.findings if each.rule.id == "LA191")
        for each in problems(folder):
            assert (each.rule.id, each.variable) in reported or each.rule.id in left, (each, draw)
    assert written > RUNS / 2


@pytest.mark.parametrize("version", VERSIONS)
def test_a_new_file_has_only_the_problems_of_its_version(tmp_path: Path, version: str) -> None:
    for number, example in enumerate(("", env_example())):
        drawn = next(iter(draws()))
        options = replace(
            drawn.options, audience=AUDIENCE, public_client=False, insists_on_reuse=False
        )
        folder = tmp_path / str(number)
        result = init(Draw(options, None, example, version, ""), folder)

        reported = {(each.rule.id, each.variable) for each in result.findings}
        assert ("LA191", None) not in reported
        assert {(each.rule.id, each.variable) for each in problems(folder)} <= reported
        assert {rule for rule, _ in reported} <= {"LA146", "LA147", "LA173"}, reported


def broken_files() -> Iterator[Subject]:
    """Yield every case of the table, and files with several of their faults at once."""
    yield from (each for case in CASES for each in (case.broken, case.near))
    lot = random.Random(f"{SEED} fix")
    for _ in range(RUNS):
        lines = lot.sample(OLD_VALUES, 2)
        yield subject(
            env("".join(lines)),
            version=lot.choice(VERSIONS),
            compose=lot.choice(("", COMPOSE)),
        )


def test_fixes_everything_fixable_permanently() -> None:
    for broken in broken_files():
        promised = {
            (each.rule.id, each.variable) for each in diagnose(broken) if can_be_fixed(broken, each)
        }
        file, changes = repairs(broken)
        after = broken._replace(file=file)
        assert bool(promised) == bool(changes)
        left = {(each.rule.id, each.variable) for each in diagnose(after)}
        assert not promised & left, broken.file.text
        assert not [each for each in diagnose(after) if can_be_fixed(after, each)]
        assert repairs(after)[1] == ()
