"""Decides who can read the `.env` after a save: only users who need it keep access."""

import os
import stat
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wizard.findings import Finding
from wizard.language import Message
from wizard.rules import rule
from wizard.system.platforms import command_line

STAYS_OPEN = rule("LA028")
UNREADABLE_IN_CONTAINER = rule("LA506")
NOT_OURS_TO_GIVE = rule("LA031")

# The POSIX ACL of a file on Linux.
_ACL = "system.posix_acl_access"
_SELINUX_LABEL = "security.selinux"
# The user of https://hub.docker.com/_/node, which LibreChat's images are built from.
_USERS = {"": 0, "root": 0, "node": 1000}


class Reader(NamedTuple):
    """The user that LibreChat runs as; `group` is None where none is named."""

    user: int
    group: int | None = None
    other_groups: tuple[int, ...] = ()
    is_in_container: bool = True

    @classmethod
    def in_container(cls, user: str) -> "Reader | None":
        """Return the reader for a user in Docker's form, None for a name that we do not know."""
        name, _, group = user.partition(":")
        number = int(name) if is_number(name) else _USERS.get(name)
        if number is None:
            return None
        if is_number(group):
            return cls(number, int(group))
        return cls(number, number if name == "node" else None)

    @property
    def groups(self) -> frozenset[int | None]:
        """All groups that the user is in."""
        return frozenset({self.group, *self.other_groups})


def is_number(text: str) -> bool:
    """Return whether it is a number of 32 bits at most, as those of users and groups are."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(1 << 32))


class Permissions(NamedTuple):
    """Owner, group and mode of a file or folder."""

    owner: int
    group: int
    mode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Permissions":
        """Return the access in a stat result."""
        return cls(status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode))

    def lets_read(self, reader: Reader) -> bool:
        """Return whether the reader can read such a file. Root can read any."""
        if not reader.user:
            return True
        if reader.user == self.owner:
            return bool(self.mode & stat.S_IRUSR)
        if self.group in reader.groups:
            return bool(self.mode & stat.S_IRGRP)
        return bool(self.mode & stat.S_IROTH)

    @property
    def is_open_to_group(self) -> bool:
        """Whether the group has other rights than others have, unlike by a umask."""
        return self.mode & stat.S_IRWXG != (self.mode & stat.S_IRWXO) << 3


def kept(
    before: Permissions, folder: Permissions, reader: Reader | None, *, has_acl: bool = False
) -> Permissions:
    """Return a file's access after a save: as before, without rights that no one needs.

    The group keeps rights that were given on purpose (with an ACL they are its mask), or in a
    folder that it shares. Others can still read where LibreChat's user could not otherwise.
    """
    writes = folder.mode & (stat.S_IWGRP | stat.S_IWOTH)
    shares = folder.group == before.group and writes == stat.S_IWGRP
    on_purpose = shares or folder.mode & stat.S_ISGID or has_acl or before.is_open_to_group
    bits = stat.S_IRWXU | stat.S_IRWXG if on_purpose else stat.S_IRWXU
    after = before._replace(mode=before.mode & bits)
    if reader and before.lets_read(reader) and not after.lets_read(reader):
        right = stat.S_IRGRP if before.group in reader.groups else stat.S_IROTH
        return after._replace(mode=after.mode | right)
    return after


def fresh(folder: Permissions, reader: Reader | None, user: int, group: int) -> Permissions:
    """Return the access of a new file that `user` creates.

    Root's file belongs to the folder's owner, and LibreChat's user can read it. In a setgid folder
    the group can read it.
    """
    after = Permissions(user, group, 0o600)
    if folder.mode & stat.S_ISGID:
        after = Permissions(user, folder.group, 0o640)
    if user:
        return after
    after = after._replace(owner=folder.owner, group=folder.group)
    if reader is None or after.lets_read(reader):
        return after
    if reader.group:
        return after._replace(group=reader.group, mode=0o640)
    return after._replace(owner=reader.user)


class Notice(NamedTuple):
    """What to show before the file is written."""

    findings: Sequence[Finding] = ()
    hint: str = ""


class PermissionPlan(NamedTuple):
    """The access of a file before a save (None for a new file) and after it.

    `path` is as the user named it, `target` the file itself, behind links.
    """

    path: Path
    target: Path
    before: Permissions | None
    after: Permissions
    reader: Reader | None

    @property
    def notice(self) -> Notice:
        """Who loses read access by the save, or keeps it without need."""
        before, after, reader = self.before, self.after, self.reader
        if reader and not after.lets_read(reader):
            return Notice((unreadable(after, reader, self.path),))
        if reader and after.mode & stat.S_IROTH:
            return Notice((_stays_open(after, reader, self.path),))
        if before and before.mode & stat.S_IROTH:
            return Notice(
                hint=Message(
                    "Its mode becomes {mode}: other users can no longer read it. To let one read"
                    " it: chgrp GROUP {file}; chmod 640 {file}",
                    mode=f"{after.mode:03o}",
                    file=command_line([str(self.path)]),
                )
            )
        return Notice()

    def give(self, handle: int) -> None:
        """Set the access of the open file, which is new and has mode 0600.

        Raises:
            Failure: LA031.
            OSError: the system refuses.
        """
        if sys.platform != "win32":
            if self.before is not None:
                _copy_labels(self.target, handle)
            if self.before is not None or os.geteuid() == 0:
                self._give_owner(handle)
            try:
                os.fchmod(handle, self.after.mode)
            except PermissionError:  # the file system has fixed modes, such as vfat
                if self.after.mode & ~os.fstat(handle).st_mode:
                    raise

    def _give_owner(self, handle: int) -> None:
        made, after = Permissions.of(os.fstat(handle)), self.after
        if (made.owner, made.group) == (after.owner, after.group):
            return
        try:
            if sys.platform != "win32":
                os.chown(handle, after.owner, after.group)
        except OSError as error:
            if made.owner == after.owner and not after.mode & stat.S_IRWXG:
                return  # the group has no rights that could be lost
            detail = Message(
                "{file} belongs to user {owner} and group {group}.",
                file=self.path,
                owner=after.owner,
                group=after.group,
            )
            fix = Message(
                "Run the command as root (sudo). If the group needs no access: chmod g= {file}",
                file=command_line([str(self.path)]),
            )
            same_owner = made.owner == after.owner
            raise NOT_OURS_TO_GIVE.failure(detail, fix=fix if same_owner else None) from error


def plan_permissions(path: Path, target: Path, reader: Reader | None) -> PermissionPlan:
    """Return the access that a save gives the file.

    Raises:
        OSError: the file's or folder's status cannot be read.
    """
    folder = Permissions.of(target.parent.stat())
    try:
        before = Permissions.of(target.stat())
    except FileNotFoundError:
        ours = (0, 0)
        if sys.platform != "win32":
            ours = os.geteuid(), os.getegid()
        return PermissionPlan(path, target, None, fresh(folder, reader, *ours), reader)
    after = kept(before, folder, reader, has_acl=_label(target, _ACL) is not None)
    return PermissionPlan(path, target, before, after, reader)


def same_permissions(path: Path, target: Path) -> PermissionPlan:
    """Return a plan that keeps the file's access; a new file is readable by all.

    Raises:
        OSError: the file's or folder's status cannot be read.
    """
    plan = plan_permissions(path, target, None)
    return plan._replace(after=plan.before or plan.after._replace(mode=0o644))


def readers(path: Path) -> Message:
    """Return that the file is written, and, except on Windows, who can read it."""
    if sys.platform != "win32":
        with suppress(OSError):
            status = path.stat()
            if status.st_mode & stat.S_IRWXO:
                return Message("Wrote {file}; every user of this machine can read it.")
            if status.st_mode & stat.S_IRWXG:
                return Message("Wrote {file}; its owner and its group can read it.")
            if status.st_uid != os.geteuid():
                return Message("Wrote {file}; only its owner can read it.")
            return Message("Wrote {file}; only you can read it.")
    return Message("Wrote {file}.")


def unreadable(access: Permissions, reader: Reader, path: Path) -> Finding:
    """Return LA506: LibreChat's user cannot read the file."""
    detail = Message(
        "LibreChat runs as user {user}; the file belongs to {owner}:{group} and has mode {mode}."
    )
    if not access.owner:  # nobody is to run LibreChat as root
        fix = Message("Run: chown {user} {file}")
    elif reader.is_in_container:
        fix = Message(
            "Run chown {user} {file}, or run the container as {owner}:{group} (user: in the Compose"
            " file, or UID and GID in the .env)."
        )
    else:
        fix = Message("Run chown {user} {file}, or run LibreChat as user {owner}.")
    values = {
        "user": reader.user,
        "owner": access.owner,
        "group": access.group,
        "mode": f"{access.mode:03o}",
        "file": command_line([str(path)]),
    }
    return UNREADABLE_IN_CONTAINER.finding(
        detail.filled(**values), fix=fix.filled(**values), variable="UID"
    )


def _stays_open(access: Permissions, reader: Reader, path: Path) -> Finding:
    detail = Message(
        "LibreChat runs as user {user}; the file belongs to {owner}:{group}.",
        user=reader.user,
        owner=access.owner,
        group=access.group,
    )
    return STAYS_OPEN.finding(detail, fix=private_fix(reader, access, path))


def private_fix(reader: Reader | None, access: Permissions, path: Path) -> Message:
    """Return the next step that closes the file to others, but not to LibreChat's user."""
    file = command_line([str(path)])
    closed = access._replace(mode=access.mode & ~stat.S_IRWXO)
    if reader and not closed.lets_read(reader):
        return _run(f"chown {reader.user} {file}; chmod 600 {file}")
    by_group = access.is_open_to_group or (reader and reader.user not in {0, access.owner})
    mode = closed.mode if by_group else closed.mode & stat.S_IRWXU
    return _run(f"chmod {mode:03o} {file}")


def _run(commands: str) -> Message:
    return Message("Run: {commands}", commands=commands)


def _label(file: Path, name: str) -> bytes | None:
    if sys.platform == "linux":
        with suppress(OSError):
            return os.getxattr(file, name)
    return None


def _copy_labels(file: Path, handle: int) -> None:
    """Copy the file's ACL, and its SELinux label if the system permits."""
    if sys.platform == "linux":
        if (acl := _label(file, _ACL)) is not None:
            os.setxattr(handle, _ACL, acl)
        if (label := _label(file, _SELINUX_LABEL)) is not None:
            with suppress(OSError):
                os.setxattr(handle, _SELINUX_LABEL, label)
