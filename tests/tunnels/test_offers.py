"""The offers from which the user chooses a tunnel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.fakes import NoProcesses
from tests.languages import speaking, untranslatable
from wizard.defaults import TUNNELS
from wizard.system.processes import Completed, Processes
from wizard.system.running_process import RunningProcess
from wizard.tunnels import ngrok_config, provider
from wizard.tunnels.local import port_taken


class Machine(Processes):
    """A machine with every program or none; each prints the same."""

    def __init__(self, *, has_programs: bool, said: str = "", status: int = 0) -> None:
        self._has_programs = has_programs
        self._done = Completed(status, said, "")

    def which(self, program: str) -> Path | None:
        return Path("/usr/bin") / program if self._has_programs else None

    def run(
        self,
        args: Sequence[str],
        *,
        timeout: float = 10.0,
        env: Mapping[str, str] | None = None,
        at_terminal: bool = False,
        given: bytes = b"",
    ) -> Completed:
        return self._done


@pytest.mark.parametrize("name", TUNNELS)
@pytest.mark.parametrize("has_programs", [True, False])
def test_every_offer_is_translated(name: str, has_programs: bool, tmp_path: Path) -> None:
    chosen = provider(name)

    offer = chosen.offer(
        Machine(has_programs=has_programs), {"HOME": str(tmp_path), "PATH": "/nowhere"}
    )

    said = (chosen.summary, offer.needs, offer.credential_question, offer.credential_hint)
    assert untranslatable(filter(None, said)) == []


def test_an_offer_includes_configuration_errors(tmp_path: Path) -> None:
    environ = {"HOME": str(tmp_path), "PATH": "/nowhere"}
    file = ngrok_config.directory(environ) / "ngrok.yml"
    file.parent.mkdir(parents=True)
    file.write_text("agent:\n    web_addr: false\n", "utf-8")
    language = speaking(
        {
            "a valid configuration ({problem})": "een leesbare configuratie ({problem})",
            "remove `web_addr: false`: the tunnel is opened with the agent's API": "weg",
            "{file}: {problem}": "{file}: {problem}",
        }
    )

    needs = provider("ngrok").offer(Machine(has_programs=False), environ).needs

    assert language.say(needs) == f"een leesbare configuratie ({file}: weg)"


def test_names_the_program_on_a_port_in_the_users_language() -> None:
    language = speaking(
        {
            "port {port} is in use by {holder}": "poort {port} is bezet door {holder}",
            "{program} (process {pid})": "{program} (proces {pid})",
        }
    )

    class Node(NoProcesses):
        def listening(self, port: int) -> RunningProcess | None:
            return RunningProcess(4711, "node")

    failure = port_taken(3443, Node())

    assert failure.finding.detail == "port 3443 is in use by node (process 4711)"
    assert language.say(failure.finding.detail) == "poort 3443 is bezet door node (proces 4711)"
