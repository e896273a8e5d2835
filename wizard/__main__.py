"""The entry point. `--version` is answered before costly imports."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line and exit with its code."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from wizard import __version__

        sys.stdout.write(f"librechat-auth0 {__version__}\n")
        return
    try:
        from wizard.cli import main as run

        run()
    except KeyboardInterrupt:  # before a command started, which would report it
        sys.exit(130)
    except ImportError as error:  # before a command started, or before it can print LA050
        sys.stderr.write(
            f"librechat-auth0: a package cannot be loaded: {error}\n"
            "Install librechat-auth0 again in a new virtual environment. LA050 in docs/rules.md has"
            " other causes.\n"
        )
        sys.exit(5)


if __name__ == "__main__":
    main()
