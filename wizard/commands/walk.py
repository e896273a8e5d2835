"""Walks the steps of the wizard, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from wizard.ports import Ports
from wizard.ui.prompts import Back


class Progress(Protocol):
    """The state of a walk."""

    @property
    def is_over(self) -> bool:
        """Whether the remaining steps are skipped."""
        ...


P = TypeVar("P", bound=Progress)


@dataclass(frozen=True, slots=True)
class Step(Generic[P]):
    """A step without a title continues under the previous heading; `run` may raise `Back`."""

    title: str
    run: Callable[[P, Ports], P]


def walk(steps: Sequence[Step[P]], progress: P, ports: Ports) -> Iterator[P]:
    """Run the steps in order and yield the state after each; `Back` repeats the one before."""
    titles = [step.title for step in steps if step.title]
    before: list[P] = []
    while len(before) < len(steps) and not progress.is_over:
        step = steps[len(before)]
        if step.title:
            ports.console.step(titles.index(step.title) + 1, len(titles), step.title)
        try:
            after = step.run(progress, ports)
        except Back:
            progress = before.pop() if before else progress
        else:
            before.append(progress)
            progress = after
        yield progress
