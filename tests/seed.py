"""One seed for all that is drawn by lot, so that a commit's failures come again."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def _commit() -> str:
    """The commit that is checked out; "" outside of a repository, as in an sdist."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()


SEED = os.environ.get("TEST_SEED") or _commit() or "no commit"
