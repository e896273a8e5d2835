"""See `release`."""

from __future__ import annotations

import json
import subprocess
import sys

from release import ROOT, UnfitError, audit, bill_of_materials, build, notes
from wizard import __version__


def lay_out(tag: str) -> None:
    """Write every file of the release with this tag."""
    text = notes(tag, __version__, (ROOT / "CHANGELOG.md").read_text("utf-8"))
    build(ROOT / "dist")
    beside = ROOT / "build"
    beside.mkdir(exist_ok=True)
    (beside / "notes.md").write_text(text + "\n", "utf-8")
    bill = json.dumps(bill_of_materials(__version__), indent=2)
    (beside / "librechat-auth0.cdx.json").write_text(bill + "\n", "utf-8")


def main() -> None:
    """Build the release of a tag, or run the audit."""
    if len(sys.argv) != 2:
        sys.exit("usage: python -m release v1.2.3 | audit")
    try:
        audit() if sys.argv[1] == "audit" else lay_out(sys.argv[1])
    except UnfitError as error:
        sys.exit(str(error))
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()
