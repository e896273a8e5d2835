"""The proof of a sign-in: it counts only for the settings it was made with, and holds no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fakes import make_world
from wizard.doctor.subject import Subject
from wizard.librechat.compose.deployment import read_deployment
from wizard.librechat.config_file import FILE_NAME
from wizard.librechat.env_file import EnvFile
from wizard.librechat.log import Traces
from wizard.steps.proofs import How, Proof, forget_proof, keep_proof, proof_of, remember

ENV = """
OPENID_CLIENT_ID=abc
OPENID_CLIENT_SECRET=a-secret-for-nobody-else-0123456789
DOMAIN_SERVER=https://localhost:3443
ENDPOINTS=openAI
"""
PROOF = Proof(1_800_000_000.0, How.LIBRECHAT)


def subject_of(folder: Path, text: str = ENV) -> Subject:
    path, file = folder / ".env", EnvFile.from_bytes(text.encode())
    return Subject(path, file, read_deployment(folder, path, {}))


def test_keeps_a_proof_for_its_settings(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert proof_of(state, subject_of(tmp_path)) is None

    keep_proof(state, subject_of(tmp_path), PROOF)

    assert proof_of(state, subject_of(tmp_path)) == PROOF
    assert proof_of(state, subject_of(tmp_path / "elsewhere")) is None


@pytest.mark.parametrize(
    ("before", "after", "stays"),
    [
        ("ENDPOINTS=openAI", "ENDPOINTS=google", True),
        ("OPENID_CLIENT_ID=abc\n", "# mine\nOPENID_CLIENT_ID=abc\n", True),
        ("0123456789", "9876543210", False),
        ("localhost:3443", "localhost:3444", False),
        ("ENDPOINTS=openAI", "OPENID_REQUIRED_ROLE=staff", False),
    ],
)
def test_only_sign_in_settings_invalidate_a_proof(
    before: str, after: str, stays: bool, tmp_path: Path
) -> None:
    keep_proof(tmp_path, subject_of(tmp_path), PROOF)

    changed = subject_of(tmp_path, ENV.replace(before, after))

    assert (proof_of(tmp_path, changed) == PROOF) is stays


def test_another_allow_list_invalidates_a_proof(tmp_path: Path) -> None:
    keep_proof(tmp_path, subject_of(tmp_path), PROOF)

    (tmp_path / FILE_NAME).write_text("registration:\n  allowedDomains: [field.test]\n")

    assert proof_of(tmp_path, subject_of(tmp_path)) is None


def test_the_state_has_neither_secrets_nor_values(tmp_path: Path) -> None:
    keep_proof(tmp_path, subject_of(tmp_path), PROOF)
    (kept,) = (tmp_path / "proved").iterdir()

    text = kept.read_text()

    assert json.loads(text).keys() == {"at", "how", "key", "fingerprint"}
    assert "secret" not in text
    assert "3443" not in text


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"at": null}', "nonsense", '{"key": "zz"}'])
def test_ignores_a_damaged_proof(content: str, tmp_path: Path) -> None:
    keep_proof(tmp_path, subject_of(tmp_path), PROOF)
    (kept,) = (tmp_path / "proved").iterdir()
    kept.write_text(content)

    assert proof_of(tmp_path, subject_of(tmp_path)) is None


def test_rejects_a_forged_time_or_method(tmp_path: Path) -> None:
    keep_proof(tmp_path, subject_of(tmp_path), PROOF)
    (kept,) = (tmp_path / "proved").iterdir()
    kept.write_text(json.dumps({**json.loads(kept.read_text()), "how": "hearsay"}))

    assert proof_of(tmp_path, subject_of(tmp_path)) is None


def test_a_librechat_that_is_older_than_its_files_proves_nothing(tmp_path: Path) -> None:
    ports = make_world(tmp_path).ports
    subject = subject_of(tmp_path)
    stale = subject._replace(traces=Traces(started=1000.0, newer={".env": 2000.0}))

    remember(ports, stale, How.LIBRECHAT, is_proved=True)
    assert proof_of(ports.state_dir, subject) is None

    remember(ports, subject, How.LIBRECHAT, is_proved=True)
    assert proof_of(ports.state_dir, subject) == Proof(ports.clock.now(), How.LIBRECHAT)


def test_forgets_a_proof(tmp_path: Path) -> None:
    subject = subject_of(tmp_path)
    keep_proof(tmp_path, subject, PROOF)

    forget_proof(tmp_path, subject.path)
    forget_proof(tmp_path, subject.path)

    assert proof_of(tmp_path, subject) is None
