"""The entry point. `--version` is answered before costly imports."""

from __future__ import annotations

import gc
import sys

from wizard.system.streams import close_streams, open_missing_streams


def main() -> None:
    """Run the command line and exit with its code."""
    gc.disable()  # imports leave nothing to collect; `execute` enables it
    open_missing_streams()
    try:
        if sys.argv[1:] in (["--version"], ["-V"]):
            from wizard import __version__

            sys.stdout.write(f"librechat-auth0 {__version__}\n")
            sys.stdout.flush()
        else:
            from wizard.cli import main as run

            run()
    except OSError as error:  # of --version and --help: a command reports its own
        sys.exit(_refused(error))
    except KeyboardInterrupt:  # before a command started, which would report it
        sys.exit(130)
    except ImportError as error:  # before a command started, or before it can print LA050
        sys.stderr.write(
            f"librechat-auth0: a package cannot be loaded: {error}\n"
            "Install librechat-auth0 again in a new virtual environment. LA050 in docs/rules.md has"
            " other causes.\n"
        )
        sys.exit(5)
    finally:
        gc.freeze()  # the last collection, at the end of the process, would find little
        gc.enable()


def _refused(error: OSError) -> int:
    """Say why the output cannot be written, if anyone reads it; return the exit code."""
    from contextlib import suppress

    from wizard.system.platforms import reader_has_gone

    code = 130
    if not reader_has_gone(error):
        code = 5
        with suppress(OSError):
            sys.stderr.write(f"librechat-auth0: the output cannot be written: {error.strerror}\n")
    close_streams()
    return code


if __name__ == "__main__":
    main()
