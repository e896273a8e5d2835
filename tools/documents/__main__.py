"""Write the generated pages to docs/, or to the given folder."""

from __future__ import annotations

import sys
from pathlib import Path

from tools.documents import pages


def main() -> None:
    """Write every page."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs")
    for name, text in pages().items():
        (folder / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
