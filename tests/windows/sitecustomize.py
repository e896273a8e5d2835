# mypy: ignore-errors
"""Replaces in Windows' Python what Wine 8 lacks.

It has no `CopyFile2` and no `VariantToString` (for `_wmi`), and names no open file whose path has
more than 260 characters: such a path is taken as it is. A lock that is held sets no `errno`.
"""

import _winapi
import errno
import msvcrt
import ntpath
import sys

if hasattr(_winapi, "CopyFile2"):
    del _winapi.CopyFile2
sys.modules["_wmi"] = None

ERROR_MORE_DATA = 234
_of_wine = ntpath._getfinalpathname


def _getfinalpathname(path):
    try:
        return _of_wine(path)
    except OSError as error:
        if error.winerror != ERROR_MORE_DATA:
            raise
        return path if path.startswith("\\\\?\\") else "\\\\?\\" + path


ntpath._getfinalpathname = _getfinalpathname


_locking_of_wine = msvcrt.locking


def _locking(handle, mode, size):
    try:
        _locking_of_wine(handle, mode, size)
    except OSError as error:
        if error.errno == 0:
            raise PermissionError(errno.EACCES, "Permission denied") from None
        raise


msvcrt.locking = _locking
