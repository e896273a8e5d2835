"""The command's entrance. `--version` answers before anything costly is imported."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and leave with its exit code."""
    if sys.argv[1:] == ["--version"]:
        from wizard import __version__

        sys.stdout.write(f"librechat-auth0 {__version__}\n")
        return
    try:
        from wizard.cli import main as run

        run()
    except KeyboardInterrupt:  # before a command had begun, which would tell it
        sys.exit(130)


if __name__ == "__main__":
    main()
