"""What others wrote is read within bounds and without waiting."""

from __future__ import annotations

import ast
import os
import socket
from pathlib import Path

import pytest

import wizard
from wizard.reading import expanded, files_in, is_folder, load_json, read_file

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


def test_a_file_up_to_the_limit_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345\r\n\x1a")
    assert read_file(path, 8) == b"12345\r\n\x1a"
    with pytest.raises(OSError, match="larger"):
        read_file(path, 7)
    path.write_bytes(b"")
    assert read_file(path, 0) == b""


@POSIX
def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # the path of a socket has to be short
        try:
            listening.bind("socket")
        finally:
            os.fchdir(here)
            os.close(here)
    for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(path)
        with pytest.raises(OSError, match="not a regular file"):
            read_file(tmp_path / "link", 10)
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path, 10)


@pytest.mark.skipif(not Path("/proc/version").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("path", ["/proc/version", "/proc/self/environ", "/proc/kmsg"])
def test_files_that_the_kernel_makes_up_are_refused(path: str) -> None:
    """As root, /proc/kmsg would be waited for, or taken from those who log it."""
    with pytest.raises(OSError, match=r"not a regular file|ermi|ermission"):
        read_file(Path(path), 10)


@POSIX
def test_links_are_followed_where_that_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    (tmp_path / "link").symlink_to("x")
    assert read_file(tmp_path / "link", 10) == b"x"
    with pytest.raises(OSError, match="symbolic link"):
        read_file(tmp_path / "link", 10, follow_links=False)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 200_000 + "]" * 200_000,
        '{"a":' * 200_000,
        "[" * 101 + "1" + "]" * 101,
        "9" * 5000,
        b"\xff",
        "",
        "{",
    ],
)
def test_json_that_is_none_or_too_deep_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        load_json(text)


def test_json_is_read() -> None:
    assert load_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert load_json("[" * 99 + "]" * 99)


def test_json_is_read_in_one_place() -> None:
    root = Path(wizard.__file__).parent
    readers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"loads", "load"}
        if isinstance(node.value, ast.Name) and node.value.id == "json"
    }
    assert readers <= {"reading.py", "demo/endpoints.py"}


def test_only_what_is_missing_is_no_folder(tmp_path: Path) -> None:
    """Python 3.13 and 3.14 hide other errors in `Path.glob` and `Path.is_dir`."""
    (tmp_path / "file").touch()
    for path in (tmp_path / "gone", tmp_path / "gone/too", tmp_path / "file"):
        assert not is_folder(path)
        assert files_in(path) == []
    assert is_folder(tmp_path)
    assert tmp_path / "file" in files_in(tmp_path)
    for look in (is_folder, files_in):
        with pytest.raises(OSError, match="too long"):
            look(tmp_path / ("n" * 300))


def test_a_home_is_put_in_where_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert expanded("~/LibreChat") == Path("/home/me/LibreChat")
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
