"""The `.env` that `doctor`, `verify` and `report` look at."""

from __future__ import annotations

from wizard.doctor.subject import Subject, gather
from wizard.doctor.writing import NO_FILE
from wizard.language import Message
from wizard.librechat.env_store import EnvStore
from wizard.ports import Ports


def read(store: EnvStore, ports: Ports) -> tuple[bytes, Subject]:
    """The file and all that the rules look at.

    Raises:
        Failure: there is none, or it cannot be read.
    """
    content = store.read()
    if content is None:
        raise NO_FILE.failure(Message("There is no {file}.", file=store.path))
    subject = gather(store.path, content, ports.environ)
    ports.console.hide(subject.secrets)
    return content, subject
