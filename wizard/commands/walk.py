"""Walks the steps of the wizard, forward and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from wizard.ports import Ports
from wizard.ui.prompts import Back


class Progress(Protocol):
    """Where a walk is: all that its steps know and have done."""

    @property
    def is_over(self) -> bool:
        """Whether the steps that are left have nothing to do."""
        ...


P = TypeVar("P", bound=Progress)


@dataclass(frozen=True, slots=True)
class Step(Generic[P]):
    """One step: a function from what is known to what is known after it.

    Attributes:
        title: its heading; a step without one goes on under the heading before it.
        run: does it; raises `Back` where the user wants the step before again.
    """

    title: str
    run: Callable[[P, Ports], P]


def walk(steps: Sequence[Step[P]], progress: P, ports: Ports) -> Iterator[P]:
    """Run the steps in their order, and yield where each leads."""
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
