"""The answers of an interrupted run, without secrets, for the next one."""

from __future__ import annotations

from pathlib import Path

from wizard.known import Known, known_in
from wizard.system.state_file import StateFile


class SavedAnswers:
    """The answers for one `.env`."""

    def __init__(self, state_dir: Path, env_file: Path) -> None:
        self._file = StateFile.about(state_dir, "drafts", env_file)
        self.forget = self._file.forget

    def load(self) -> Known:
        """Return the answers of the interrupted run, without invalid ones."""
        try:
            return known_in(self._file.load())
        except (AttributeError, TypeError):
            return Known()

    def keep(self, known: Known) -> None:
        """Save the answers as variables of the `.env`, which `known_in` reads."""
        variables = {
            "OPENID_ISSUER": known.domain,
            "OPENID_CLIENT_ID": known.client_id,
            "OPENID_AUDIENCE": ",".join(known.audiences or ()),
            "DOMAIN_SERVER": known.public_url,
        }
        self._file.save({name: value for name, value in variables.items() if value})
