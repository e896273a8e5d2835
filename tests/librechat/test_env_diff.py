"""A diff shows every removed and added line, and no secret."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wizard.librechat.env_diff import ADDED, REMOVED, DiffLine, diff, masked_diff
from wizard.librechat.env_file import EnvFile
from wizard.librechat.variables import is_secret
from wizard.text import MASK

texts = st.lists(st.sampled_from(["", "A=1", "B=2", "# c", "A='x", "'"]), max_size=12).map(
    "\n".join
)


def shown(before: str, after: str) -> list[str]:
    lines = masked_diff(EnvFile(before), EnvFile(after))
    return [f"{line.number} {line.sign} {line.text}" for line in lines]


@given(texts, texts)
def test_the_old_lines_and_the_diff_yield_the_new_lines(before: str, after: str) -> None:
    lines = before.splitlines()
    changes = diff(EnvFile(before), EnvFile(after))
    removed = [line for line in changes if line.sign == REMOVED]
    for line in reversed(removed):
        assert lines.pop(line.number - 1) == line.text
    for line in changes:
        if line.sign == ADDED:
            lines.insert(line.number - 1, line.text)
    assert lines == after.splitlines()


def test_a_replacement_is_next_to_its_line() -> None:
    assert shown("A=1\n# B=1\n", "A=2\nB=2\nC=2\n") == [
        *("1 - A=1", "1 + A=2", "2 - # B=1", "2 + B=2", "3 + C=2")
    ]
    assert shown("A='1\nM=2'\n", "A=2\nC=2\n") == [*("1 - A='1", "2 - M=2'", "1 + A=2", "2 + C=2")]


PIECES = [
    *("A=", "JWT_SECRET=", "OPENID_CLIENT_SECRET:", "export ", "# ", "'", '"', "`", "\n", "\r\n"),
    *("\u2028", " ", "B=2", "x", "QUJDRA==", "#", ":"),
]
PRECIOUS = "pr3c10us"


@given(st.lists(st.sampled_from(PIECES), max_size=9), st.lists(st.sampled_from(PIECES), max_size=9))
def test_no_diff_shows_a_part_of_a_secret(before: list[str], after: list[str]) -> None:
    file = EnvFile(f"{''.join(before)}{PRECIOUS}{''.join(after)}")
    place = file.text.index(PRECIOUS)
    for each in file.assignments:
        if is_secret(each.name) and each.start + len(each.name) <= place < each.end:
            shown = masked_diff(file, EnvFile(""))
            assert shown
            assert not any(PRECIOUS in line.text for line in shown)


def test_a_line_does_not_include_its_line_break() -> None:
    assert diff(EnvFile("A=1\r\nB=2"), EnvFile("A=1\nB=2\n")) == ()
    assert diff(EnvFile("A=1\nB=2"), EnvFile("A=1\n")) == (DiffLine(REMOVED, 2, "B=2"),)


def test_masks_a_secret_on_both_sides() -> None:
    assert shown("A=1\nJWT_SECRET=old-one\n", "A=1\nJWT_SECRET=new-one\n") == [
        f"2 - JWT_SECRET={MASK}",
        f"2 + JWT_SECRET={MASK}",
    ]


@pytest.mark.parametrize(
    ("line", "seen"),
    [
        ("OPENID_CLIENT_SECRET=abc", f"OPENID_CLIENT_SECRET={MASK}"),
        ("# OPENID_CLIENT_SECRET=abc", f"# OPENID_CLIENT_SECRET={MASK}"),
        ("  export OPENID_CLIENT_SECRET = abc # c", f"  export OPENID_CLIENT_SECRET ={MASK}"),
        ("OPENID_CLIENT_SECRET: abc", f"OPENID_CLIENT_SECRET:{MASK}"),
        ("OPENID_CLIENT_SECRET=", "OPENID_CLIENT_SECRET="),
        ("OPENID_CLIENT_SECRET:", "OPENID_CLIENT_SECRET:"),
        ("MONGO_URI=mongodb://u:p@h/db", f"MONGO_URI={MASK}"),
        ("SOME_API_KEY='x'", f"SOME_API_KEY={MASK}"),
        ("OPENID_ISSUER=https://a # c", "OPENID_ISSUER=https://a # c"),
        ("no assignment", "no assignment"),
    ],
)
def test_a_removed_line(line: str, seen: str) -> None:
    assert shown(f"{line}\n", "") == [f"1 - {seen}"]


def test_each_removed_line_of_a_secret_shows_its_name() -> None:
    before = "OPENID_CLIENT_SECRET:\nMY_PRECIOUS=1234\nLAST=1\n"
    assert shown(before, "OPENID_CLIENT_SECRET=x\nLAST=1\n") == [
        "1 - OPENID_CLIENT_SECRET:",
        f"2 - MY_PRECIOUS={MASK}",
        f"1 + OPENID_CLIENT_SECRET={MASK}",
    ]


def test_masks_all_lines_of_a_key() -> None:
    before = 'JWT_SECRET="-----BEGIN\nTUlJQ1hB\n\nQUJDRA==\nQUJDRA="\n'
    assert shown(before, "") == [
        f"1 - JWT_SECRET={MASK}",
        f"2 - {MASK}",
        "3 - ",
        f"4 - {MASK}",
        f"5 - {MASK}",
    ]


def test_masks_lines_in_another_value_by_their_own_names() -> None:
    before = 'DOMAIN_CLIENT="http://a\nGOOGLE_KEY=AIza1\nLAST=1"\n'
    assert shown(before, 'DOMAIN_CLIENT="http://a"\n') == [
        '1 - DOMAIN_CLIENT="http://a',
        f"2 - GOOGLE_KEY={MASK}",
        '3 - LAST=1"',
        '1 + DOMAIN_CLIENT="http://a"',
    ]


def test_masks_a_secret_after_a_javascript_line_end() -> None:
    assert shown("A='1'\u2028OPENID_CLIENT_SECRET=abc\n", "") == [f"1 - A={MASK}"]
