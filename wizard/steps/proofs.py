"""Keeps the last sign-in that worked with an `.env`; it counts while nothing of it has changed."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from wizard.librechat.variables import is_known
from wizard.ports import Ports
from wizard.system.state_file import StateFile

if TYPE_CHECKING:
    from wizard.doctor.subject import Subject


class How(StrEnum):
    """What the user signed in to."""

    LIBRECHAT = "librechat"
    VERIFY = "verify"


class Proof(NamedTuple):
    """A sign-in that worked; `at` in seconds since the epoch."""

    at: float
    how: How


def keep_proof(state_dir: Path, subject: "Subject", proof: Proof) -> None:
    """Save that a sign-in with these settings worked."""
    from secrets import token_bytes

    key = token_bytes(32)
    kept = {
        "at": proof.at,
        "how": proof.how,
        "key": key.hex(),
        "fingerprint": _fingerprint(subject, key),
    }
    _file(state_dir, subject.path).save(kept)


def proof_of(state_dir: Path, subject: "Subject") -> Proof | None:
    """Return the proof of exactly these settings, None without one."""
    kept = _file(state_dir, subject.path).load()
    try:
        key, fingerprint = bytes.fromhex(kept["key"]), str(kept["fingerprint"])
        proof = Proof(float(kept["at"]), How(kept["how"]))
        return proof if fingerprint == _fingerprint(subject, key) else None
    except (ValueError, TypeError, KeyError):
        return None


def forget_proof(state_dir: Path, env_file: Path) -> None:
    """Delete the proof: a later sign-in failed."""
    _file(state_dir, env_file).forget()


def remember(ports: Ports, subject: "Subject", how: How, *, is_proved: bool) -> None:
    """Keep the proof for `doctor`, or forget the one of an earlier run."""
    if is_proved and not subject.traces.newer:
        keep_proof(ports.state_dir, subject, Proof(ports.clock.now(), how))
    elif not is_proved:
        forget_proof(ports.state_dir, subject.path)


def _file(state_dir: Path, env_file: Path) -> StateFile:
    return StateFile.about(state_dir, "proved", env_file)


def _fingerprint(subject: "Subject", key: bytes) -> str:
    """Return a keyed hash of what decides the sign-in: a secret cannot be guessed from it."""
    from hashlib import blake2b

    values = sorted((name, value) for name, value in subject.values.items() if is_known(name))
    text = json.dumps([values, subject.config.part("registration")], default=str)
    return blake2b(text.encode("utf-8", "surrogatepass"), key=key).hexdigest()
