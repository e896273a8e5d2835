"""Walks the steps of the wizard, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Generic, Protocol, Self, TypeVar

from wizard.ports import Ports
from wizard.ui.prompts import Back


class Progress(Protocol):
    """The state of a walk."""

    @property
    def is_over(self) -> bool:
        """Whether the remaining steps are skipped."""
        ...

    def after_back(self, later: Self) -> Self:
        """Return this state for a user who went back to it from `later`."""
        ...


P = TypeVar("P", bound=Progress)


@dataclass(frozen=True, slots=True)
class Step(Generic[P]):
    """A step of the wizard.

    Attributes:
        title: its heading; a step without one continues under the previous heading.
        run: does it; may raise `Back`.
        is_needed: whether a walk in this state has this step.
        is_final: whether nobody can go back to before it.
    """

    title: str
    run: Callable[[P, Ports], P]
    is_needed: Callable[[P], bool] = lambda _: True
    is_final: bool = False


def walk(steps: Sequence[Step[P]], progress: P, ports: Ports) -> Iterator[P]:
    """Run the steps in order and yield the state after each.

    `Back` repeats the last step before that asked something.
    """
    prompter = ports.prompter.with_back() if ports.prompter else None
    ports = replace(ports, prompter=prompter)
    asked: list[tuple[int, P]] = []
    number = 0
    while number < len(steps) and not progress.is_over:
        step = steps[number]
        if not step.is_needed(progress):
            number += 1
            continue
        _show_heading(step, steps, progress, ports)
        questions = prompter.asked if prompter else 0
        try:
            after = step.run(progress, ports)
        except Back:
            if asked:
                number, before = asked.pop()
                progress = before.after_back(progress)
        else:
            if prompter and prompter.asked > questions:
                asked.append((number, progress))
            if step.is_final:
                asked.clear()
            number, progress = number + 1, after
        yield progress


def _show_heading(step: Step[P], steps: Sequence[Step[P]], progress: P, ports: Ports) -> None:
    if step.title:
        titles = [each.title for each in steps if each.title and each.is_needed(progress)]
        ports.console.step(titles.index(step.title) + 1, len(titles), step.title)
