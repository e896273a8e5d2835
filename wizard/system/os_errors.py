"""Explains the OSErrors of files and streams."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

from wizard.language import Message
from wizard.system.platforms import command_line

_REASONS = {
    errno.EACCES: Message("permission denied"),
    errno.EPERM: Message("permission denied"),
    errno.ENOSPC: Message("the disk is full"),
    errno.EFBIG: Message("the file is too large for the disk or a limit (ulimit -f)"),
    errno.EDQUOT: Message("your disk quota is used up"),
    errno.EROFS: Message("the file system is read-only"),
    errno.EBUSY: Message(
        "it is mounted by another program (a Docker bind mount of the single file?)"
    ),
    errno.ELOOP: Message("the symbolic links form a loop"),
    errno.ENAMETOOLONG: Message("the name is too long"),
    errno.ENOTDIR: Message("a part of the path is not a folder"),
    errno.ENOENT: Message("no such file or folder"),
    errno.EISDIR: Message("it is a folder"),
    errno.EIO: Message("the disk reports an error"),
}


def place_of(error: OSError) -> Path | None:
    """Return the file or folder that the error names, if any."""
    named = error.filename
    return Path(os.fsdecode(named)) if isinstance(named, str | bytes | os.PathLike) else None


def refusal(error: OSError, path: Path | Message) -> Message:
    """Return the path and the reason as a sentence."""
    return Message("{file}: {reason}.", file=path, reason=reason_of(error))


def refusal_of_openssl(error: BaseException) -> Message | None:
    """Return why OpenSSL failed, by `ssl` or by cryptography; None for another error."""
    import ssl

    stack = getattr(error, "err_code", None)  # of cryptography.exceptions.InternalError
    if isinstance(error, ssl.SSLError):
        reason = error.strerror or str(error)
    elif isinstance(stack, list):
        reason = ", ".join(each.reason_text.decode() for each in stack) or str(error)
    else:
        return None
    if "entropy" in reason:
        return Message("OpenSSL gets no random bytes from the system: {reason}.", reason=reason)
    return Message("OpenSSL failed: {reason}.", reason=reason)


def reason_of(error: OSError) -> str:
    """Return the reason in our words, else in the system's."""
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


_REMEDIES = {
    errno.EACCES: Message("chmod u+{access} {path}, or run as the user who owns it."),
    errno.EPERM: Message(
        "If it is protected (lsattr -d {path} shows i): sudo chattr -i {path}. Or run as the user"
        " who owns it."
    ),
    errno.ENOSPC: Message("Free space on the disk of {path}, then run the command again."),
    errno.EDQUOT: Message("Delete some of your files on that disk, then run the command again."),
    errno.EROFS: Message(
        "Run the command where {path} is writable, or mount its file system read-write."
    ),
    errno.EBUSY: Message(
        "Run the command on the host, outside the container, or mount the folder of {path} in"
        " place of the file."
    ),
}
_ON_MACOS = {
    errno.EPERM: Message(
        "If it is protected (ls -lOd {path} shows uchg): chflags nouchg {path}. Or run as the user"
        " who owns it."
    ),
}
_ON_WINDOWS = Message(
    "Close the programs that use it, or remove its write protection: attrib -R {path}"
)


def remedy(
    error: OSError, path: Path, access: str = "w", platform: str = sys.platform
) -> Message | None:
    """Return the next step, None where it depends; `access` is r or w."""
    found = _REMEDIES.get(error.errno or 0)
    if platform == "win32" and error.errno in {errno.EACCES, errno.EPERM}:
        found = _ON_WINDOWS
    elif platform == "darwin":
        found = _ON_MACOS.get(error.errno or 0, found)
    return found and found.filled(path=command_line([str(path)], platform), access=access)
