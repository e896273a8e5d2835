"""`doctor --show`: what LibreChat gets, each variable with its value and where it comes from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from wizard.doctor.subject import Subject
from wizard.execution import Result
from wizard.language import Message
from wizard.librechat.environment import Origin, Setting
from wizard.librechat.runner import Runner
from wizard.librechat.variables import is_known, is_secret
from wizard.ports import Ports
from wizard.steps.values import env_store, read_subject
from wizard.text import MASK

ALL = "all"


class Variable(NamedTuple):
    """One variable as `--json` prints it; `value` is None where LibreChat does not get it."""

    name: str
    value: str | None = None
    origin: str | None = None
    file: str | None = None
    line: int | None = None
    where: str | None = None


@dataclass(frozen=True, slots=True)
class ShowResult(Result):
    """The variables, and who runs LibreChat."""

    runner: Runner
    variables: Sequence[Variable]

    def as_json(self) -> dict[str, object]:
        runner = self.runner
        return {
            "runner": {
                "way": runner.way.value,
                "certainty": runner.certainty.value,
                "because": runner.because,
                "version": runner.version or None,
                "version_source": runner.version_source or None,
                "pid": runner.process.pid if runner.process else None,
                "container": runner.container.name if runner.container else None,
            },
            "variables": [each._asdict() for each in self.variables],
        }


def run_show(env_file: Path | None, names: Iterable[str], ports: Ports) -> ShowResult:
    """Show what LibreChat gets; `ALL` is for every variable that the wizard knows."""
    with ports.console.working("Looking for what runs LibreChat"):
        subject = read_subject(env_store(env_file, ports), ports)
    variables = [_variable(name, subject) for name in _wanted(names, subject.environment)]
    ports.console.hint(subject.runner.because)
    for each in variables:
        ports.console.text(_line(each))
    return ShowResult(subject.runner, variables)


def _wanted(names: Iterable[str], known: Iterable[str]) -> Iterable[str]:
    """Return the names in their order, each once; `ALL` names the known ones."""
    wanted: dict[str, None] = {}
    for name in (each.strip() for given in names for each in given.split(",")):
        wanted |= dict.fromkeys(filter(is_known, sorted(known)) if name.lower() == ALL else [name])
    return filter(None, wanted)


def origin_of(setting: Setting, runner: Runner) -> str:
    """Return where a variable comes from: a file and its line, a process or a container."""
    if setting.where and setting.line:
        return Message("{file}, line {line}", file=setting.where, line=setting.line)
    if setting.where:
        return setting.where
    if setting.origin is Origin.SHELL and runner.process is not None:
        return Message("the environment of process {pid}", pid=runner.process.pid)
    return setting.origin.value


def _variable(name: str, subject: Subject) -> Variable:
    setting = subject.environment.get(name)
    if setting is None:
        return Variable(name)
    is_hidden = bool(setting.value) and is_secret(name)
    value = MASK if is_hidden else subject.hidden(setting.value)
    where = origin_of(setting, subject.runner)
    origin = setting.origin.name.lower()
    return Variable(name, value, origin, setting.where or None, setting.line, where or None)


def _line(variable: Variable) -> str:
    name, value = variable.name, variable.value
    if value is None:
        return Message("{name} is not set.", name=name)
    # Quotes show spaces at the ends, and a value that is empty.
    shown = value if value and value == value.strip() else f'"{value}"'
    return Message(
        "{name}={value}   ({where})", name=name, value=shown, where=Message.of(variable.where or "")
    )
