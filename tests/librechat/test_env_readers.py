"""Comparison with other readers of an `.env`: LibreChat's Node, python-dotenv, shells, Compose."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.librechat.hostile import ALL_PIECES, PIECES
from tests.librechat.readers import (
    needs_compose,
    read_by_compose,
    read_by_python_dotenv,
    read_by_shell,
)
from wizard.findings import Failure
from wizard.librechat.env_file import EnvFile, Suggestion, is_writable, quoted
from wizard.librechat.env_plan import doubtful_lines

hostile_bytes = st.lists(st.sampled_from(ALL_PIECES), max_size=16).map(b"".join)
any_bytes = st.one_of(hostile_bytes, st.binary(max_size=60))
hostile_text = st.lists(st.sampled_from(PIECES), max_size=16).map("".join)
names = st.sampled_from(["A", "B", "OPENID_ISSUER", "OPENID_CLIENT_SECRET", "PORT", "SEARCH"])
values = st.one_of(
    st.sampled_from(["", "x", "true", "https://t.auth0.com", "openid profile", "a#b", "$HOME"]),
    st.text(max_size=12),
)
all_edits = st.dictionaries(names, st.one_of(values, values.map(Suggestion)), max_size=4)
careful = settings(max_examples=400, suppress_health_check=list(HealthCheck))


def edited(data: bytes, edits: dict[str, str | Suggestion]) -> tuple[EnvFile, EnvFile] | None:
    """Return the file before and after, or None if the edit is rejected."""
    try:
        before = EnvFile.from_bytes(data)
        after, _ = before.edited(edits)
    except Failure:
        return None
    return before, after


@careful
@given(any_bytes)
def test_keeps_or_rejects_any_bytes(data: bytes) -> None:
    try:
        file = EnvFile.from_bytes(data)
    except Failure:
        assert b"\0" in data or data[:2] in {b"\xff\xfe", b"\xfe\xff"}
        return
    assert file.to_bytes() == data
    for assignment in file.assignments:
        assert file.text[assignment.start :].startswith(assignment.name)
        assert assignment.raw in file.text[assignment.start : assignment.end]
        assert not re.search("[\ud800-\udfff]", assignment.value)


@careful
@given(any_bytes, all_edits)
@example(b"KEY:\n# A=1", {"A": "x"})
@example(b"A= # c", {"A": ""})
@example(b"A='\n# B=1\n'", {"B": "x"})
@example(b"\xef\xbb\xbf# A=1", {"A": "x"})
def test_an_edit_changes_only_what_was_requested(
    data: bytes, edits: dict[str, str | Suggestion]
) -> None:
    result = edited(data, edits)
    if result is None:
        return
    before, after = result
    wanted = {name: value for name, value in edits.items() if isinstance(value, str)}
    assert after.values() == before.values() | wanted
    again, changes = EnvFile.from_bytes(after.to_bytes()).edited(edits)
    assert (again.text, changes) == (after.text, ())


@careful
@given(st.lists(hostile_text.filter(lambda text: not re.search("[AB=:'\"`]", text)), max_size=4))
def test_keeps_every_byte_of_other_lines(lines: list[str]) -> None:
    for line_break in ("\n", "\r\n", "\r"):
        others = "".join(f"{line}{line_break}" for line in lines)
        text = f"{others}A=old{line_break}{others}"
        expected = f"{others}A=new{line_break}{others}"
        assert EnvFile(text).edited({"A": "new"})[0].text == expected


@careful
@given(
    st.text(max_size=30),
    st.sampled_from(["", "A=1", "A=1 # c", "A=1#c", "# A=1 # c", "A='1'\t# c", "A= # c", "A:\t1"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_parser_reads_the_value_that_was_written(
    value: str, line: str, line_break: str
) -> None:
    if not is_writable(value):
        with pytest.raises(Failure):
            quoted(value)
        return
    text = f"FIRST=1{line_break}{line}{line_break}LAST='2'{line_break}"
    after, _ = EnvFile(text).edited({"A": value})
    expected = {"FIRST": "1", "A": value, "LAST": "2"}
    assert after.values() == expected
    assert read_by_python_dotenv(after.to_bytes()) == expected


@pytest.mark.parametrize(
    "shell",
    [pytest.param(shell, marks=pytest.mark.needs(shell)) for shell in ("sh", "dash", "bash")],
)
def test_a_shell_reads_the_values_that_were_written(shell: str, tmp_path: Path) -> None:
    file, expected = odd_values()
    assert read_by_shell(shell, [file], list(expected), tmp_path) == [expected]
    assert list(tmp_path.glob("**/hacked")) == []


def test_docker_compose_reads_the_values_that_were_written(tmp_path: Path) -> None:
    needs_compose()
    file, expected = odd_values()
    assert read_by_compose([file], tmp_path) == [expected]


def odd_values() -> tuple[bytes, dict[str, str]]:
    """Return a file with values of every printable character, as we write them, and the values."""
    printable = "".join(map(chr, range(32, 127))).replace("'", "").replace("\\", "")
    edits = {
        "EMPTY": "",
        "EMPTY_WITH_COMMENT": "",
        "PRINTABLE": printable,
        "ACCENTS": "é 漢 🙂",
        "COMMAND": "$(touch hacked) `touch hacked` ; touch hacked & | > x < y",
        "SPACES": "  two  ",
        "TILDE": "~/x",
        "STARS": "* ? [a-z] {a,b} !!",
        **{f"C{code:02X}": f"a{chr(code)}b" for code in range(32, 127) if code not in {39, 92}},
        **{f"F{code:02X}": chr(code) for code in range(32, 127) if code not in {39, 92}},
    }
    base = "# c\nexport SPACES=x # kept\nEMPTY_WITH_COMMENT=1 # c\n#TILDE=1#c\nKEPT='k' # k\n"
    after, _ = EnvFile(base).edited(edits)
    return after.to_bytes(), {"KEPT": "k", **edits}


lines = st.one_of(
    st.sampled_from(
        [
            *("", "  ", "\t", "# a", " # 'b", '# "', "A=1", "A='x'", 'B="x', "x'", '"', "\r", "A="),
            *("A='it\\'s", "A=a b ", "A= #", "A=1 #", 'A="1" # "', "B=x#y", "export A=2", "A = 3"),
        ]
    ),
    st.text("AB= \t#'\"\\\r\n\v\f\x85\u2028x", max_size=8),
    st.text(" !#$%&*+-./:;<=>?@[]^_{|}~aZ'\"", max_size=6).map("A={}".format),
)


@careful
@given(st.lists(lines, max_size=8).map("\n".join))
def test_python_dotenv_agrees_on_unambiguous_lines(text: str) -> None:
    doubtful = doubtful_lines(text)
    ours, pythons = EnvFile(text).values(), read_by_python_dotenv(text.encode())
    for name in {*ours, *pythons}:
        assert name in doubtful or ours.get(name) == pythons.get(name)


def test_recognizes_ambiguous_lines() -> None:
    agreed = "# it's\n\nA=1 + 1\r\n  # b\nB=\"it is\"\nC=''\n"
    for doubtful in ("A= # b", "A='b' # c", "export A=1", "A=\u00e9", "A: b"):
        assert doubtful_lines(f"{agreed}{doubtful}\n{agreed}") == doubtful
    for text in ("# a\nA='x\n# b'\n", '# a\nA=it"s\n', "# a\nA='\\'\n"):
        assert doubtful_lines(text) == text
