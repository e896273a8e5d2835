"""A scripted `init` in this process, with a clock that counts each moment for what then runs.

    python -c "import benchmarks.clock as clock; clock.main()" init --offline …

`benchmarks.profile` runs it. It imports next to nothing, so that what the command imports is still
to be imported; its table goes to standard output, as JSON.
"""

from __future__ import annotations

import builtins
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

COMMAND_LINE = "Typer: the command line is read"
REST = "what is not named here"
STANDARD_LIBRARY = "import of the standard library, for ours"


def import_of(package: str) -> str:
    """The label of a package's import."""
    return f"import of {package}"


class Clock:
    """Counts the time for the innermost of what was entered."""

    def __init__(self, label: str) -> None:
        self.seconds: dict[str, float] = {}
        self._entered = [label]
        self._since = time.perf_counter()

    def tick(self) -> None:
        """Count what has passed since the last time."""
        now = time.perf_counter()
        label = self._entered[-1]
        self.seconds[label] = self.seconds.get(label, 0.0) + now - self._since
        self._since = now

    def under(self, label: str, call: Callable[..., Any], *args: Any) -> Any:
        """Call it, and count its time for the label."""
        self.tick()
        self._entered.append(label)
        try:
            return call(*args)
        finally:
            self.tick()
            self._entered.pop()

    def watch(self, label: str, owner: Any, name: str) -> None:
        """Count all calls of that function of a module or a class for the label."""
        watched = getattr(owner, name)

        def timed(*args: Any, **named: Any) -> Any:
            return self.under(label, lambda: watched(*args, **named))

        setattr(owner, name, timed)

    def watch_imports(self) -> None:
        """Count what is imported for its package, with all that the package asks for first.

        What our own modules ask for of the standard library has a label of its own.
        """
        original = builtins.__import__

        def timed(
            name: str,
            names: Mapping[str, object] | None = None,
            local: Mapping[str, object] | None = None,
            wanted: Sequence[str] | None = (),
            level: int = 0,
        ) -> Any:
            package = name.partition(".")[0]
            asks = self._entered[-1]
            is_for_others = asks.startswith(import_of("")) and asks != import_of("wizard")
            if level or name in sys.modules or is_for_others:
                return original(name, names, local, wanted or (), level)
            of_python = package in sys.stdlib_module_names
            label = STANDARD_LIBRARY if of_python else import_of(package)
            return self.under(label, original, name, names, local, wanted or (), level)

        builtins.__import__ = timed  # type: ignore[assignment]  # other names, same order


def timed_init(arguments: list[str]) -> dict[str, float]:
    """Run the command; the seconds of each import and step."""
    clock = Clock(COMMAND_LINE)
    clock.watch_imports()
    import typer  # noqa: F401 - what it needs counts for it, whoever would ask first

    import dataclasses  # isort: skip
    import os  # isort: skip
    import re  # isort: skip

    clock.watch("dataclasses are built", dataclasses, "_process_class")
    clock.watch("regular expressions are compiled", vars(re)["_compiler"], "compile")
    import wizard.cli
    import wizard.commands.init as command
    from wizard import execution
    from wizard.commands import folder
    from wizard.librechat import checkout, env_plan
    from wizard.librechat.env_file import EnvFile
    from wizard.librechat.env_store import EnvStore
    from wizard.ui.screen import Screen

    read_differently = env_plan.read_differently
    # A generator's work is done when it is asked; here it is done at the call.
    env_plan.read_differently = lambda *args: list(read_differently(*args))  # type: ignore[assignment]
    clock.watch(REST, execution, "execute")
    clock.watch("LibreChat is found", command, "find_folder")
    clock.watch("the change is planned", folder, "plan_env")
    clock.watch("the .env is parsed", EnvFile, "__init__")
    clock.watch("the .env is edited, and that proved", EnvFile, "edited")
    clock.watch("python-dotenv reads it too", env_plan, "read_differently")
    clock.watch("lock, backup, rename", EnvStore, "save")
    clock.watch("fsync", os, "fsync")
    clock.watch("the Compose file is read", checkout, "read_compose")
    clock.watch("what is told", Screen, "show")
    sys.argv = ["librechat-auth0", *arguments]
    try:
        wizard.cli.main()
    except SystemExit as end:
        if end.code:
            raise
    clock.tick()
    return clock.seconds


def main() -> None:
    """Print the table as JSON."""
    seconds = timed_init(sys.argv[1:])
    import json

    sys.stdout.write(json.dumps(seconds))
