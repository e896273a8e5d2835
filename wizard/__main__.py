"""The command's entrance. `--version` answers before anything costly is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        from wizard import __version__

        sys.stdout.write(f"librechat-auth0 {__version__}\n")
        return
    from wizard.cli import main as run

    run()


if __name__ == "__main__":
    main()
