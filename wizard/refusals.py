"""What the system means when it refuses a file or a stream."""

from __future__ import annotations

import errno
from pathlib import Path

from wizard.language import Message

_REASONS = {
    errno.EACCES: Message("permission denied"),
    errno.EPERM: Message("permission denied"),
    errno.ENOSPC: Message("the disk is full"),
    errno.EFBIG: Message("the disk or a limit (ulimit -f) allows no file of this size"),
    errno.EDQUOT: Message("your disk quota is used up"),
    errno.EROFS: Message("the file system is read-only"),
    errno.EBUSY: Message(
        "it is mounted by another program (a Docker bind mount of the single file?)"
    ),
    errno.ELOOP: Message("a symbolic link leads in a circle"),
    errno.ENAMETOOLONG: Message("the name is too long"),
    errno.ENOTDIR: Message("a part of the path is no folder"),
    errno.ENOENT: Message("there is no such file or folder"),
    errno.EISDIR: Message("it is a folder"),
    errno.EIO: Message("the disk reports an error"),
}


def refusal(error: OSError, path: Path | Message) -> Message:
    """What the system refuses, and where."""
    return Message("{file}: {reason}.", file=path, reason=reason_of(error))


def reason_of(error: OSError) -> str:
    """Why the system refuses it: in our words, or, where we have none, in its own."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))
