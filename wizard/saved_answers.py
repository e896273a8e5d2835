"""The answers of an interrupted run, without secrets, for the next one."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from wizard.known import Known, known_in
from wizard.platforms import true_path
from wizard.private_files import file_name, private_folder, write_whole
from wizard.reading import load_json, read_file

_FOLDER = "drafts"
_MAX_BYTES = 1 << 16


class SavedAnswers:
    """The answers for one `.env`. Errors of the system are ignored."""

    def __init__(self, state_dir: Path, env_file: Path) -> None:
        self._state_dir = state_dir
        self._path = state_dir / _FOLDER / f"{file_name(true_path(env_file))}.json"

    def load(self) -> Known:
        """Return the answers of the interrupted run, without invalid ones."""
        try:
            return known_in(load_json(read_file(self._path, _MAX_BYTES, follow_links=False)))
        except (OSError, ValueError, AttributeError, TypeError):
            return Known()

    def keep(self, known: Known) -> None:
        with suppress(OSError):
            private_folder(self._state_dir, _FOLDER)
            write_whole(self._path, json.dumps(_variables(known)).encode())

    def forget(self) -> None:
        with suppress(OSError):
            self._path.unlink(missing_ok=True)


def _variables(known: Known) -> dict[str, str]:
    """Return the answers as variables of the `.env`, which `known_in` reads."""
    variables = {
        "OPENID_ISSUER": known.domain,
        "OPENID_CLIENT_ID": known.client_id,
        "OPENID_AUDIENCE": ",".join(known.audiences or ()),
        "DOMAIN_SERVER": known.public_url,
    }
    return {name: value for name, value in variables.items() if value}
