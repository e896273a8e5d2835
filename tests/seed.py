"""One seed for everything random.

Without TEST_SEED it is always the same, so that only a change can make a test fail.
"""

from __future__ import annotations

import os

IS_CHOSEN = "TEST_SEED" in os.environ
SEED = os.environ.get("TEST_SEED", "1")
