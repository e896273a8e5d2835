"""The authtoken in ngrok's own configuration file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tests.conftest import only_root
from wizard.findings import Failure
from wizard.tunnels.ngrok_config import directory, known_token, save_authtoken, with_token
from wizard.tunnels.ngrok_errors import SILENT_AGENT, failure_of, readable

TOKEN = "2abcDEFghiJKLmnoPQRstuVWXyz_0123456789"
LINE = f"authtoken: '{TOKEN}'"


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"version: \"3\"\nagent:\n    {LINE}\n"),
        ("# mine", f"# mine\nversion: \"3\"\nagent:\n    {LINE}\n"),
        ("# mine\n", f"# mine\nversion: \"3\"\nagent:\n    {LINE}\n"),
        (
            "version: 3 # new\nagent:\n  authtoken: old # work\n  region: eu\n",
            f"version: 3 # new\nagent:\n  {LINE} # work\n  region: eu\n",
        ),
        (
            "version: 3\nagent:\n    # where\n    region: eu\nendpoints: [a]\n",
            f"version: 3\nagent:\n    # where\n    {LINE}\n    region: eu\nendpoints: [a]\n",
        ),
        ("version: 3\n", f"version: 3\nagent:\n    {LINE}\n"),
        ("version: 3", f"version: 3\nagent:\n    {LINE}\n"),
        ("version: '2'\nregion: eu\n", f"{LINE}\nversion: '2'\nregion: eu\n"),
        ("authtoken: a\nversion: 2\n", f"{LINE}\nversion: 2\n"),
        ("version: 2\r\nauthtoken: a\r\n", f"version: 2\r\n{LINE}\r\n"),
        ("version: 3\nagent: {region: eu}\n", f"version: 3\nagent: {{{LINE}, region: eu}}\n"),
        ("region: eu\n", f'{LINE}\nversion: "2"\nregion: eu\n'),
        ("# a\nagent:\n  x: 1\n", f'# a\nversion: "3"\nagent:\n  {LINE}\n  x: 1\n'),
        ("version: 3\nagent: {}\n", f"version: 3\nagent: {{{LINE}}}\n"),
        ("version: 3\nagent: # none\nlog: x\n", f"version: 3\nagent:\n    {LINE} # none\nlog: x\n"),
        ('version: 3\nagent: {authtoken: "a b"}\n', f"version: 3\nagent: {{{LINE}}}\n"),
    ],
)  # fmt: skip
def test_adds_the_token_and_keeps_the_rest(before: str, after: str) -> None:
    assert with_token(before, TOKEN) == after
    assert with_token(after, TOKEN) == after


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- list\n",
        "base: &base {region: eu}\nversion: 3\nagent: *base\nother: *base\n",
        "{version: 3}\n",
    ],
)
def test_refuses_an_unsafe_edit(text: str) -> None:
    with pytest.raises(ValueError, match=r"edited safely|not a mapping"):
        with_token(text, TOKEN)


def test_reads_a_saved_token(environ: dict[str, str]) -> None:
    assert known_token(environ) == ""
    path = save_authtoken(TOKEN, environ)

    assert path == directory(environ) / "ngrok.yml"
    assert known_token(environ) == TOKEN
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_makes_a_world_readable_file_private(environ: dict[str, str]) -> None:
    path = directory(environ) / "ngrok.yml"
    path.parent.mkdir(parents=True)
    path.write_text("version: 2\nregion: eu\n")
    path.chmod(0o644)
    save_authtoken(TOKEN, environ)

    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


@only_root
def test_root_keeps_the_files_owner(environ: dict[str, str]) -> None:
    path = directory(environ) / "ngrok.yml"
    path.parent.mkdir(parents=True)
    path.write_text("version: 2\n")
    os.chown(path, 1234, 2345)
    save_authtoken(TOKEN, environ)

    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_names_the_file_on_a_full_disk(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/temporary")

    monkeypatch.setattr("wizard.system.private_files.sync", refuse)
    with pytest.raises(Failure) as caught:
        save_authtoken(TOKEN, environ)

    assert caught.value.finding.detail == f"{directory(environ) / 'ngrok.yml'}: the disk is full."


def test_keeps_a_link(environ: dict[str, str], tmp_path: Path) -> None:
    real = tmp_path / "dotfiles.yml"
    real.write_text("version: 2\n")
    path = directory(environ) / "ngrok.yml"
    path.parent.mkdir(parents=True)
    path.symlink_to(real)
    save_authtoken(TOKEN, environ)

    assert path.is_symlink()
    assert LINE in real.read_text()


@pytest.mark.parametrize("token", ["", "short", f"{TOKEN} ", f"{TOKEN}\n", "a" * 201, "'" * 30])
def test_does_not_save_an_invalid_token(environ: dict[str, str], token: str) -> None:
    with pytest.raises(Failure) as caught:
        save_authtoken(token, environ)

    assert caught.value.finding.rule.id == "LA302"
    assert not directory(environ).exists()


def test_leaves_an_uneditable_file_alone(environ: dict[str, str]) -> None:
    path = directory(environ) / "ngrok.yml"
    path.parent.mkdir(parents=True)
    text = "base: &base {region: eu}\nversion: 3\nagent: *base\nother: *base\n"
    path.write_text(text)
    with pytest.raises(Failure) as caught:
        save_authtoken(TOKEN, environ)

    assert caught.value.finding.rule.id == "LA317"
    assert TOKEN not in caught.value.finding.detail
    assert path.read_text() == text


def test_explains_an_unwritable_folder(environ: dict[str, str]) -> None:
    Path(environ["XDG_CONFIG_HOME"]).write_text("a file in the way")
    with pytest.raises(Failure) as caught:
        save_authtoken(TOKEN, environ)

    assert caught.value.finding.rule.id == "LA312"


def test_the_variable_overrides_the_file(environ: dict[str, str]) -> None:
    save_authtoken(TOKEN, environ)

    assert known_token({**environ, "NGROK_AUTHTOKEN": f"{TOKEN}2"}) == f"{TOKEN}2"


@pytest.mark.parametrize(
    ("platform", "folder"),
    [
        ("linux", "/home/ada/.config/ngrok"),
        ("darwin", "/home/ada/Library/Application Support/ngrok"),
        ("win32", "/home/ada/AppData/Local/ngrok"),
    ],
)
def test_uses_pyngroks_folder(platform: str, folder: str) -> None:
    environ = {"HOME": "/home/ada", "USERPROFILE": "/home/ada"}

    assert directory(environ, platform) == Path(folder)


def test_uses_pyngroks_folder_on_this_machine() -> None:
    from pyngrok.installer import get_default_ngrok_dir

    assert directory(os.environ) == Path(get_default_ngrok_dir())


def test_ngroks_error_is_readable_and_has_no_token() -> None:
    text = rf"It is \"invalid\".\nYour authtoken: {TOKEN}\r\n\r\nERR_NGROK_107\r\n"

    assert readable(f"{text}\x1b[31m \u202e") == (
        'It is "invalid". Your authtoken: *** ERR_NGROK_107 �[31m �'
    )
    assert TOKEN not in readable(f"token {TOKEN} said", secrets=(TOKEN,))


@pytest.mark.parametrize(
    ("codes", "rule"),
    [
        ((108, 348), "LA304"),
        ((120, 121), "LA305"),
        ((323, 324, 350), "LA308"),
        ((123, 382), "LA316"),
        ((9009,), "LA337"),
        ((15013,), "LA338"),
        ((102, 103, 205, 338), "LA339"),
        ((4026,), "LA340"),
        ((115, 116), "LA341"),
        ((349, 351), "LA342"),
        ((9008, 3480, 11), "LA315"),  # a near miss, which links to its page at ngrok
    ],
)
def test_each_code(codes: tuple[int, ...], rule: str) -> None:
    for code in codes:
        finding = failure_of(f"As ngrok words it. ERR_NGROK_{code}", otherwise=SILENT_AGENT).finding
        assert finding.rule.id == rule


def test_links_to_the_page_of_an_unknown_code() -> None:
    finding = failure_of("no\r\n\r\nERR_NGROK_999\r\n", otherwise=SILENT_AGENT).finding

    assert finding.rule.id == "LA315"
    assert finding.fix == "See https://ngrok.com/docs/errors/err_ngrok_999/."
