"""Foreign files are read within bounds and without blocking."""

from __future__ import annotations

import ast
import os
import socket
from pathlib import Path

import pytest

import wizard
from wizard.system.reading import expanded, files_in, is_folder, load_json, read_file

POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")


def test_reads_a_file_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345\r\n\x1a")
    assert read_file(path, 8) == b"12345\r\n\x1a"
    with pytest.raises(OSError, match="larger"):
        read_file(path, 7)
    path.write_bytes(b"")
    assert read_file(path, 0) == b""


@POSIX
def test_rejects_irregular_files_immediately(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(".", os.O_RDONLY)
        os.chdir(tmp_path)  # the path of a socket must be short
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
def test_rejects_files_of_proc(path: str) -> None:
    """As root, reading /proc/kmsg blocks, or takes messages from the system's logger."""
    with pytest.raises(OSError, match=r"not a regular file|ermi|ermission"):
        read_file(Path(path), 10)


@POSIX
def test_follows_links_only_if_allowed(tmp_path: Path) -> None:
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
def test_invalid_or_deep_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any message
        load_json(text)


def test_reads_json() -> None:
    assert load_json('{"a": [1, {"b": null}]}') == {"a": [1, {"b": None}]}
    assert load_json("[" * 99 + "]" * 99)


def test_json_is_parsed_in_one_place() -> None:
    root = Path(wizard.__file__).parent
    readers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"loads", "load"}
        if isinstance(node.value, ast.Name) and node.value.id == "json"
    }
    assert readers <= {"system/reading.py", "demo/endpoints.py"}


def test_only_a_missing_folder_counts_as_none(tmp_path: Path) -> None:
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


def test_expands_a_known_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    monkeypatch.setenv("USERPROFILE", "/home/me")
    assert expanded("~/LibreChat") == Path("/home/me/LibreChat")
    assert expanded("~nobody-of-that-name/x") == Path("~nobody-of-that-name/x")
