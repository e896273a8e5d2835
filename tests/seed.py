"""One seed for everything random, so that a commit's failures can be reproduced."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def _commit() -> str:
    """Return the commit that is checked out; "" outside a repository, as in an sdist."""
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
