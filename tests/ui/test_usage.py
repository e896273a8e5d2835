"""Usage errors: the mistake, a suggestion, and where the help is."""

from __future__ import annotations

import sys

import pytest

from wizard import cli

CASES = {
    "init --tunel local": ("There is no option --tunel. Did you mean --tunnel?", "init "),
    "init --domian x": ("There is no option --domian. Did you mean --domain?", "init "),
    "explain --xyzzy": ("There is no option --xyzzy.", "explain "),
    "docter": ("There is no command docter. Did you mean doctor?", ""),
    "tunnel sotp": ("There is no command sotp. Did you mean stop?", "tunnel "),
    "xyzzy": ("There is no command xyzzy.", ""),
    "undo": ("There is no command undo. Did you mean init --undo?", ""),
    "version": ("There is no command version. Did you mean --version?", ""),
    "help docter": ("There is no command docter. Did you mean doctor?", ""),
    "init --domain": ("--domain needs a value.", "init "),
    "init --yes=no": ("--yes takes no value.", "init "),
    "init here": ("Unexpected: here.", "init "),
    "init --format compse": ("--format: compse is unknown. Did you mean compose?", "init "),
    "--lang de": ("--lang: de is not one of en, nl.", ""),
    "init --format env --output - --json": (
        "--output: - and --json both print on standard output.",
        "init ",
    ),
}


def said(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    monkeypatch.setattr(sys, "argv", ["librechat-auth0", *line.split()])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    return shown.err


@pytest.mark.parametrize("line", CASES)
def test_wrong_usage(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LIBRECHAT_AUTH0_LANG", "en")
    reason, command = CASES[line]

    assert said(line, monkeypatch, capsys) == (
        f"Error: {reason}\n  Next: librechat-auth0 {command}--help\n"
    )


def test_in_dutch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("LIBRECHAT_AUTH0_LANG", "nl")

    assert said("init --tunel local", monkeypatch, capsys) == (
        "Fout: De optie --tunel bestaat niet. Bedoelde je --tunnel?\n"
        "  Volgende stap: librechat-auth0 init --help\n"
    )
