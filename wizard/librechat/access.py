"""Who can read the `.env` once it is written: whoever needs it keeps it, nobody else gets it."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from wizard.findings import Failure, Finding
from wizard.language import Message
from wizard.librechat.deployment import Reader
from wizard.platforms import command_line
from wizard.rules import rule

STAYS_OPEN = rule("LA028")
UNREADABLE_IN_CONTAINER = rule("LA506")
NOT_OURS_TO_GIVE = rule("LA031")

# Who has access on Linux beside owner, group and others.
_ACL = "system.posix_acl_access"
_SELINUX_LABEL = "security.selinux"
_OWNER = 0o700
_GROUP = 0o070
_GROUP_READS = 0o040
_OTHERS = 0o007
_OTHERS_READ = 0o004


@dataclass(frozen=True, slots=True)
class Access:
    """Owner, group and mode of a file or folder."""

    owner: int
    group: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result) -> Access:
        """The access that the system reports."""
        return cls(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))

    def lets_read(self, reader: Reader) -> bool:
        """Whether the reader can read a file of this access. Root can read any."""
        if not reader.user:
            return True
        if reader.user == self.owner:
            return bool(self.mode & stat.S_IRUSR)
        if reader.group == self.group:
            return bool(self.mode & _GROUP_READS)
        return bool(self.mode & _OTHERS_READ)

    @property
    def is_open_to_group(self) -> bool:
        """Whether the group has rights on purpose: others have not the same, as by a umask."""
        return self.mode & _GROUP != (self.mode & _OTHERS) << 3


def kept(before: Access, folder: Access, reader: Reader | None, *, has_acl: bool = False) -> Access:
    """The access of a file after a save: as before, less what nobody is known to need.

    The group keeps its rights where they were given on purpose, or the folder is shared by it.
    With an ACL, the rights of the group are its mask. Others keep the right to read where
    LibreChat's own user has no other.
    """
    writes = folder.mode & (stat.S_IWGRP | stat.S_IWOTH)
    shares = folder.group == before.group and writes == stat.S_IWGRP
    on_purpose = shares or folder.mode & stat.S_ISGID or has_acl or before.is_open_to_group
    bits = _OWNER | _GROUP if on_purpose else _OWNER
    after = replace(before, mode=before.mode & bits)
    if reader and before.lets_read(reader) and not after.lets_read(reader):
        right = _GROUP_READS if reader.group == before.group else _OTHERS_READ
        return replace(after, mode=after.mode | right)
    return after


def fresh(folder: Access, reader: Reader | None, user: int, group: int) -> Access:
    """The access of a new file that `user` makes.

    A file that root makes belongs to the folder's owner, and LibreChat's own user can read it.
    In a folder whose files belong to its group (setgid), the group can read it.
    """
    after = Access(user, group, 0o600)
    if folder.mode & stat.S_ISGID:
        after = Access(user, folder.group, 0o640)
    if user:
        return after
    after = replace(after, owner=folder.owner, group=folder.group)
    if reader is None or after.lets_read(reader):
        return after
    if reader.group:
        return replace(after, group=reader.group, mode=0o640)
    return replace(after, owner=reader.user)


@dataclass(frozen=True, slots=True)
class Notice:
    """What to say before the file is written: findings, and a hint, "" for none."""

    findings: Sequence[Finding] = ()
    hint: str = ""


@dataclass(frozen=True, slots=True)
class AccessPlan:
    """The access of a file before a save, None where there is none, and after it.

    Attributes:
        path: as the user knows it.
        target: the file itself, behind links.
        reader: LibreChat's own user, where Docker Compose names one.
    """

    path: Path
    target: Path
    before: Access | None
    after: Access
    reader: Reader | None

    @property
    def notice(self) -> Notice:
        """Who cannot read the file after the save, and who still can."""
        before, after, reader = self.before, self.after, self.reader
        if reader and not after.lets_read(reader):
            return Notice((unreadable(after, reader, self.path),))
        if reader and after.mode & _OTHERS_READ:
            return Notice((_stays_open(after, reader, self.path),))
        if before and before.mode & _OTHERS_READ:
            return Notice(
                hint=Message(
                    "Its mode becomes {mode}: other users can no longer read it. For one that must:"
                    " chgrp GROUP {file}; chmod 640 {file}",
                    mode=f"{after.mode:03o}",
                    file=command_line([str(self.path)]),
                )
            )
        return Notice()

    def give(self, handle: int) -> None:
        """Give the open file its access; it is new, and of mode 0600.

        Raises:
            Failure: LA031.
            OSError: the system refuses.
        """
        if sys.platform == "win32":
            return
        if self.before is not None:
            _copy_labels(self.target, handle)
        if self.before is not None or os.geteuid() == 0:
            self._give_owner(handle)
        try:
            os.fchmod(handle, self.after.mode)
        except PermissionError:  # a file system with modes of its own, such as vfat
            if self.after.mode & ~os.fstat(handle).st_mode:
                raise

    def _give_owner(self, handle: int) -> None:
        made, after = Access.of(os.fstat(handle)), self.after
        if (made.owner, made.group) == (after.owner, after.group):
            return
        try:
            os.chown(handle, after.owner, after.group)
        except OSError as error:
            if made.owner == after.owner and not after.mode & _GROUP:
                return  # the group has no rights that could be lost
            raise self._not_ours_to_give(made) from error

    def _not_ours_to_give(self, made: Access) -> Failure:
        after, file = self.after, command_line([str(self.path)])
        detail = Message(
            "{file} belongs to user {owner} and group {group}.",
            file=self.path,
            owner=after.owner,
            group=after.group,
        )
        if made.owner != after.owner:
            return NOT_OURS_TO_GIVE.failure(detail)
        return NOT_OURS_TO_GIVE.failure(
            detail,
            fix=Message(
                "Run the command as root (sudo). Where the group needs no access: chmod g= {file}",
                file=file,
            ),
        )


def plan_access(path: Path, target: Path, reader: Reader | None) -> AccessPlan:
    """The access that a save gives the file.

    Raises:
        OSError: the file or its folder cannot be looked at.
    """
    folder = Access.of(target.parent.stat())
    try:
        before = Access.of(target.stat())
    except FileNotFoundError:
        user, group = _ourselves()
        return AccessPlan(path, target, None, fresh(folder, reader, user, group), reader)
    after = kept(before, folder, reader, has_acl=_label(target, _ACL) is not None)
    return AccessPlan(path, target, before, after, reader)


def readers(path: Path) -> Message:
    """That the file is written, and who can read it by what the system reports.

    On Windows modes say nothing, and so does this.
    """
    said = Message("{file} is written.")
    if sys.platform != "win32":
        with suppress(OSError):
            status = path.stat()
            if status.st_mode & _OTHERS:
                said = Message("{file} is written; every user of this machine can read it.")
            elif status.st_mode & _GROUP:
                said = Message("{file} is written; its owner and its group can read it.")
            elif status.st_uid != os.geteuid():
                said = Message("{file} is written; only its owner can read it.")
            else:
                said = Message("{file} is written; only you can read it.")
    return said


def unreadable(access: Access, reader: Reader, path: Path) -> Finding:
    """LA506: LibreChat's own user cannot read the file."""
    return UNREADABLE_IN_CONTAINER.finding(
        Message(
            "It runs as user {user}; the file belongs to {owner}:{group} and has mode {mode}.",
            user=reader.user,
            owner=access.owner,
            group=access.group,
            mode=f"{access.mode:03o}",
        ),
        fix=Message(
            "chown {user} {file}, or run the container as {owner}:{group} (user: in the Compose"
            " file, or UID and GID in the .env).",
            user=reader.user,
            file=command_line([str(path)]),
            owner=access.owner,
            group=access.group,
        ),
        variable="UID",
    )


def _stays_open(access: Access, reader: Reader, path: Path) -> Finding:
    return STAYS_OPEN.finding(
        Message(
            "It runs as user {user}; the file belongs to {owner}:{group}.",
            user=reader.user,
            owner=access.owner,
            group=access.group,
        ),
        fix=private_fix(reader, access, path),
    )


def private_fix(reader: Reader | None, access: Access, path: Path) -> str:
    """The commands that take the file from others, and leave it to LibreChat's own user."""
    file = command_line([str(path)])
    closed = replace(access, mode=access.mode & ~_OTHERS)
    if reader and not closed.lets_read(reader):
        return f"chown {reader.user} {file}; chmod 600 {file}"
    by_group = access.is_open_to_group or (reader and reader.user not in {0, access.owner})
    mode = closed.mode if by_group else closed.mode & _OWNER
    return f"chmod {mode:03o} {file}"


def _ourselves() -> tuple[int, int]:
    return (0, 0) if sys.platform == "win32" else (os.geteuid(), os.getegid())


def _label(file: Path, name: str) -> bytes | None:
    if sys.platform == "linux":
        with suppress(OSError):
            return os.getxattr(file, name)
    return None


def _copy_labels(file: Path, handle: int) -> None:
    """Copy the file's ACL and SELinux label; the system may keep the latter to itself."""
    if sys.platform == "linux":
        if (acl := _label(file, _ACL)) is not None:
            os.setxattr(handle, _ACL, acl)
        if (label := _label(file, _SELINUX_LABEL)) is not None:
            with suppress(OSError):
                os.setxattr(handle, _SELINUX_LABEL, label)
