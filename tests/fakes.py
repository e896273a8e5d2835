"""Fake ports: an unexpected question, request or program fails the test."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Self

from wizard.defaults import ENGLISH
from wizard.http import HttpClient, Response
from wizard.language import Language
from wizard.ports import Ports
from wizard.settings import InvalidValue, pasted
from wizard.system.clock import Clock
from wizard.system.desktop import Desktop
from wizard.system.processes import Completed, Processes
from wizard.system.running_process import RunningProcess
from wizard.ui.console import Console
from wizard.ui.prompts import Back, Choice, Parse, Prompter, T


class ScriptedPrompter(Prompter):
    """Answer from a list of (part of the question, answer) and record everything shown.

    The record has the questions, the choices, and each rejected answer with its reason.

    The answer KeyboardInterrupt means Ctrl-C at that question, Back means Esc.
    """

    def __init__(self, *script: tuple[str, object]) -> None:
        self.script = list(script)
        self.refusals: list[str] = []
        self.shown: list[str] = []
        self.defaults: dict[str, str] = {}
        self.goes_back = False
        self.asked = 0
        self.typed = ""

    def with_back(self) -> Self:
        self.goes_back = True
        return self

    def text(
        self, question: str, *, parse: Parse[T], default: str = "", is_hidden: bool = False
    ) -> T:
        self.defaults[question] = default
        while True:
            answer = self._answer(question)
            try:
                return parse(pasted(default if answer is None else str(answer)))
            except InvalidValue as invalid:
                self.refusals.append(invalid.reason)
                self.shown.append(invalid.reason)

    def confirm(
        self, question: str, *, default: bool = True, more: Callable[[], None] | None = None
    ) -> bool:
        while (answer := self._answer(question)) == "?" and more:
            more()
        return default if answer is None else bool(answer)

    def select(self, question: str, choices: Sequence[Choice], *, default: str = "") -> str:
        self.shown += [choice.label for choice in choices]
        answer = self._answer(question)
        key = default if answer is None else str(answer)
        assert key in {choice.key for choice in choices}, f"{question!r} does not offer {key}"
        return key

    @contextmanager
    def keys(self) -> Iterator[Callable[[], str]]:
        """Return the next of `typed` at each call."""
        typed = list(self.typed)
        yield lambda: typed.pop(0) if typed else ""

    def verify(self) -> None:
        assert not self.script, f"never asked: {self.script}"

    def _answer(self, question: str) -> object:
        self.shown.append(question)
        self.asked += 1
        assert self.script, f"unexpected question: {question}"
        part, answer = self.script.pop(0)
        assert part in question, f"expected {part!r}, was asked {question!r}"
        if answer is KeyboardInterrupt:
            raise KeyboardInterrupt
        if answer is Back:
            assert self.goes_back, f"{question!r} does not allow going back"
            raise Back
        return answer


class NoHttp:
    """A network that fails the test when it is used."""

    def request(self, method: str, url: str, **_: Any) -> Response:
        raise AssertionError(f"unexpected request: {method} {url}")


class NoProcesses(Processes):
    """A machine with no program installed; running one fails the test."""

    def which(self, program: str) -> Path | None:
        return None

    def run(self, args: Sequence[str], **_: Any) -> Completed:
        raise AssertionError(f"unexpected program: {args}")

    def start(self, args: Sequence[str], **_: Any) -> NoReturn:
        raise AssertionError(f"unexpected program: {args}")

    def listening(self, port: int) -> RunningProcess | None:
        return None


@dataclass
class FixedClock(Clock):
    """A clock that moves only during a sleep."""

    time: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class World:
    """Ports and what was written to them."""

    ports: Ports
    stderr: io.StringIO
    stdout: io.StringIO

    @property
    def said(self) -> str:
        return self.stderr.getvalue()


def make_world(
    folder: Path,
    *,
    prompter: ScriptedPrompter | None = None,
    http: HttpClient | None = None,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
    language: Language | None = None,
) -> World:
    language = language or Language(ENGLISH)
    stderr, stdout = io.StringIO(), io.StringIO()
    ports = Ports(
        console=Console(stderr=stderr, stdout=stdout, language=language),
        language=language,
        prompter=prompter,
        http=http or NoHttp(),
        clock=clock or FixedClock(),
        processes=NoProcesses(),
        desktop=Desktop(),
        environ=environ or {},
        cwd=folder,
        state_dir=folder.parent / "state",
        offers={},
        last_words=[],
        changed=[],
        resolves=lambda _: True,
    )
    return World(ports, stderr, stdout)
