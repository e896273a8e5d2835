"""Exact texts: what is read from a file, and the result of an edit."""

from __future__ import annotations

import pytest

from wizard.findings import ExitCode, Failure
from wizard.librechat.env_file import (
    CONFUSING_FILE,
    NOT_TEXT,
    SPANS_LINES,
    UNWRITABLE_VALUE,
    Change,
    EnvFile,
    How,
    Suggestion,
    quoted,
)


def edit(text: str, **values: str) -> str:
    after, _ = EnvFile(text).edited(values)
    return after.text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A=b", "b"),
        ("A=", ""),
        ("A", None),
        ("A=b c", "b c"),
        ("A=  b  ", "b"),
        ("A = b", "b"),
        ("  A=b", "b"),
        ("A: b", "b"),
        ("A:b", None),
        ("export A=b", "b"),
        ("export\nA=b", "b"),
        ("\ufeffA=b", "b"),
        ("A=b\r\n", "b"),
        ("A=b\rB=c", "b"),
        ("A=b # c", "b"),
        ("A=b#c", "b"),
        ("A=#c", ""),
        ("# A=b", None),
        ("A='b # c'", "b # c"),
        ("A='b' # c", "b"),
        ("A='b'#c", "b"),
        ("A='b' c", "'b' c"),
        ("A='it's'", "it's"),
        ("A='b", "'b"),
        ("A='b\nc'", "b\nc"),
        ("A='b\r\nc'", "b\nc"),
        ('A="b\\nc"', "b\nc"),
        ("A='b\\nc'", "b\\nc"),
        ("A=`b'c\"`", "b'c\""),
        ("A='b\\'c'", "b\\'c"),
        ("A=\n'b'", "b"),
        ("A:\nB=c", "B=c"),
        ("A:\r\nB=c", "B=c"),
        ("A=b\nA=c", "c"),
        ("A=$B${C}", "$B${C}"),
        ("A=x\u2028'y'", "x\u2028y"),
        ("# c\u2028A=b", "b"),
        ("A=b\x85", "b\x85"),
        ("A=\x1cb", "\x1cb"),
        ("A.b-c=d", None),
    ],
)
def test_reads_as_dotenv_does(text: str, value: str | None) -> None:
    assert EnvFile(text).values().get("A") == value


def test_replaces_invalid_utf8_in_values_and_keeps_it_in_the_file() -> None:
    data = b"A=\xff\xfe\xe2\x82\nB=1\n"
    file = EnvFile.from_bytes(data)
    assert file.values() == {"A": "���", "B": "1"}
    assert file.to_bytes() == data
    after, _ = file.edited({"B": "2"})
    assert after.to_bytes() == b"A=\xff\xfe\xe2\x82\nB=2\n"


@pytest.mark.parametrize("data", ["A=b".encode("utf-16"), b"A=\0", "A=b".encode("utf-32-le")])
def test_rejects_invalid_utf8(data: bytes) -> None:
    with pytest.raises(Failure) as caught:
        EnvFile.from_bytes(data)
    assert caught.value.finding.rule is NOT_TEXT
    assert caught.value.exit_code is ExitCode.FILE


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("", ""),
        ("https://a.b/c?", "'https://a.b/c?'"),
        ("https://a.b:3443/c_d-e%20+,@=", "https://a.b:3443/c_d-e%20+,@="),
        ("two words", "'two words'"),
        (" x", "' x'"),
        ("a#b", "'a#b'"),
        ('a"b`c', "'a\"b`c'"),
        ("$HOME", "'$HOME'"),
        ("é", "'é'"),
        ("\u2028", "'\u2028'"),
    ],
)
def test_writes_a_value_bare_or_in_apostrophes(value: str, written: str) -> None:
    assert quoted(value) == written


@pytest.mark.parametrize("value", ["a'b", "a\\b", "a\nb", "a\rb", "a\tb", "${A}", "\x7f", "\udc80"])
def test_rejects_a_value_without_a_common_form(value: str) -> None:
    with pytest.raises(Failure) as caught:
        quoted(value)
    assert caught.value.finding.rule is UNWRITABLE_VALUE
    with pytest.raises(Failure) as caught:
        EnvFile("A=x\n").edited({"A": value})
    assert caught.value.finding.variable == "A"
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\n", "A=new\n"),
        ("A=1", "A=new\n"),
        ("A=\n", "A=new\n"),
        ("A = 1\n", "A=new\n"),
        ("A: 1\n", "A=new\n"),
        ("A:\r\n\nB=2\r\n", "A=new\r\n\nB=2\r\n"),
        ("\ufeffA=1\r\nB=2\r\n", "\ufeffA=new\r\nB=2\r\n"),
        ("A=1\rB=2\r", "A=new\rB=2\r"),
        ("  export   A=1 # c\n", "  export   A=new # c\n"),
        ("A=1\t # c", "A=new\t # c"),
        ("A=1\t# Compose wants a space\n", "A=new # Compose wants a space\n"),
        ("A=1#no space is a part of the value elsewhere\n", "A=new\n"),
        ("A=#c\n", "A=new #c\n"),
        ("A=   # c\n", "A=new   # c\n"),
        ("A='1'#c\n", "A='new' #c\n"),
        ('A="1"\t# c\n', 'A="new" # c\n'),
        ("A=`1` # c\n", "A=new # c\n"),
        ("A=1\nB=2\nA=3\n", "A=1\nB=2\nA=new\n"),
        ("A=1   \n", "A=new   \n"),
        ("A=\x851\x85\n", "A=new\n"),
        # JavaScript's white space is part of the value for one of the other readers.
        ("A=1\ufeff\n", "A=new\n"),
        ("A=new\xa0\n", "A=new\n"),
        ("A='1'\ufeff\n", "A='new'\n"),
        ("A=1 \xa0 # c\n", "A=new # c\n"),
        ("A=1\ufeff# c\n", "A=new # c\n"),
        ("A=\u3000\n", "A=new\n"),
        ("# A=old # c\nB=1\n", "A=new # c\nB=1\n"),
        ("#A=old\n", "A=new\n"),
        ("  ## export A=old\n", "  export A=new\n"),
        ("\ufeff# A=old\n", "\ufeffA=new\n"),
        ("B=1\n\ufeffA\n", "B=1\n\ufeffA\n\n# Others\nA=new\n"),
        ("A\nB=1\n", "A=new\nB=1\n"),
        ("export A\nB=1\n", "export A=new\nB=1\n"),
        ("# A=one\n# A=two\n", "# A=one\nA=new\n"),
        ("# AA=one\nB='\n# A=two\n'\n", "# AA=one\nB='\n# A=two\n'\n\n# Others\nA=new\n"),
        ("B=1\r\n", "B=1\r\n\r\n# Others\r\nA=new\r\n"),
        ("B=1\r", "B=1\n\n# Others\nA=new\r"),
        ("B=1\rC=2", "B=1\rC=2\n\n# Others\nA=new\n"),
        ("B=1\n\n\n", "B=1\n\n# Others\nA=new\n\n\n"),
        ("", "# Others\nA=new\n"),
        ("\n\n", "\n\n# Others\nA=new\n"),
        ("no assignment at all", "no assignment at all\n\n# Others\nA=new\n"),
    ],
)
def test_an_edit_changes_only_its_own_line(before: str, after: str) -> None:
    assert edit(before, A="new") == after
    assert edit(after, A="new") == after


@pytest.mark.parametrize(
    "text",
    [
        "A=new\n",
        "A='new'\n",
        'A="new"\n',
        "A=new",
        "A=new # c\n",
        "A='new'\t# c\n",
        "export A=new\r\n",
        "  A=new   \n",
    ],
)
def test_leaves_a_correct_value_alone(text: str) -> None:
    file = EnvFile(text)
    assert file.edited({"A": "new"}) == (file, ())


@pytest.mark.parametrize("text", ['A="it\'s ${mine}"\n', "A=back\\slash\n", "A=`'`\n"])
def test_leaves_a_correct_value_without_a_common_form_alone(text: str) -> None:
    file = EnvFile(text)
    assert file.edited(file.values()) == (file, ())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("A=1\n", "A=\n"),
        ("A=1 # c\n", "A='' # c\n"),
        ("A=1\n# c\n", "A=\n# c\n"),
        ("A= # c\n", "A='' # c\n"),
        ('A="1" # c\n', 'A="" # c\n'),
        ("A=1\n\n  'quoted'\n", "A=''\n\n  'quoted'\n"),
        ("# A=1 # c\n", "A='' # c\n"),
        ("# A=1\n`quoted`\n", "A=''\n`quoted`\n"),
    ],
)
def test_an_empty_value_does_not_continue_on_the_next_line(before: str, after: str) -> None:
    assert edit(before, A="") == after
    assert edit(after, A="") == after


def test_adds_lines_next_to_related_ones_in_table_order() -> None:
    after, changes = EnvFile("PORT=1\nOPENID_ISSUER='x' # c\n\nOPENID_SCOPE=s\nEND=1\n").edited(
        {
            "OPENID_CALLBACK_URL": "/c",
            "OPENID_CLIENT_ID": "id",
            "HOST": "h",
            "SEARCH": "false",
            "UNKNOWN": "u",
        }
    )
    assert after.text == (
        "PORT=1\nHOST=h\nOPENID_ISSUER='x' # c\nOPENID_CLIENT_ID=id\nOPENID_CALLBACK_URL=/c\n\n"
        "OPENID_SCOPE=s\nEND=1\n\n# Search\nSEARCH=false\n\n# Others\nUNKNOWN=u\n"
    )
    assert {change.how for change in changes} == {How.ADDED}


def test_a_change_describes_itself() -> None:
    _, changes = EnvFile("#\n\nA='old'\n  # B=1 # c\nC=1\n").edited(
        {"A": "new", "B": "2", "C": "1", "OPENID_IMAGE_URL": Suggestion("https://x/y.png")}
    )
    assert changes == (
        Change("A", How.CHANGED, 3, 3),
        Change("B", How.UNCOMMENTED, 4, 4),
        Change("OPENID_IMAGE_URL", How.SUGGESTED, 6, 6),
    )


@pytest.mark.parametrize("text", ["A=1\n", "# A=1\n", "A\n", "#A =\n"])
def test_suggests_only_a_name_that_the_file_does_not_mention(text: str) -> None:
    file = EnvFile(text)
    assert file.edited({"A": Suggestion("x")}) == (file, ())


@pytest.mark.parametrize(
    "text",
    [
        "KEY:\n# A=1\n",  # without its hash, it would become KEY's value
        "A=b#c\u2028D=1\n",
    ],
)
def test_rejects_an_edit_that_changes_something_else(text: str) -> None:
    with pytest.raises(Failure) as caught:
        EnvFile(text).edited({"A": "new"}, removing_lines=True)
    assert caught.value.finding.rule is CONFUSING_FILE


# Files in which the value of A spans several lines, those lines, and the result of removing them.
SPANNING = [
    ('A="1\nB=2\nC=3"\nD=4\n', (1, 3), 'A="new"\nD=4\n'),
    ("Z=1\nA:\nB=2\nD=4\n", (2, 3), "Z=1\nA=new\nD=4\n"),
    ("A:\r\nB=2\r\nD=4\r\n", (1, 2), "A=new\r\nD=4\r\n"),
    ("A='1\rB=2'\rD=4\r", (1, 2), "A='new'\rD=4\r"),
    ("A=\n'1'\nD=4\n", (1, 2), "A='new'\nD=4\n"),
    ("A\n=1\nD=4\n", (1, 2), "A=new\nD=4\n"),
    ("A=1\u2028B=2\nD=4\n", (1, 1), "A=new\nD=4\n"),
    ("A=1\u2028# c\nD=4\n", (1, 1), "A=new # c\nD=4\n"),
    ("A=1\u2029\nD=4\n", (1, 1), "A=new\nD=4\n"),
    ("A=`1`\u2028#c\nD=4\n", (1, 1), "A=new #c\nD=4\n"),
]


@pytest.mark.parametrize(("text", "lines", "after"), SPANNING)
def test_removes_lines_only_with_consent(text: str, lines: tuple[int, int], after: str) -> None:
    file = EnvFile(text)
    with pytest.raises(Failure) as caught:
        file.edited({"A": "new"})
    assert caught.value.finding.rule is SPANS_LINES
    assert caught.value.exit_code is ExitCode.FILE
    assert str(lines[0]) in caught.value.finding.detail
    assert str(lines[1]) in caught.value.finding.detail

    edited, changes = file.edited({"A": "new"}, removing_lines=True)
    assert edited.text == after
    assert changes == (Change("A", How.CHANGED, *lines, spans_lines=True),)


def test_keeps_lines_when_the_value_is_correct() -> None:
    file = EnvFile("A=\n'new'\nB=new\u2028\n")
    assert file.edited({"A": "new", "B": "new"}, removing_lines=True) == (file, ())


def test_two_assignments_with_a_javascript_line_end_between_them() -> None:
    assert edit("PORT='1'\u2028A='2'\nB=3\n", A="new", HOST="h") == (
        "PORT='1'\u2028A='new'\nHOST=h\nB=3\n"
    )
    assert edit("# A=1\u2028B='2'\n", A="new", B="3") == ("# A=1\u2028B='3'\n\n# Others\nA=new\n")


def test_a_name_cannot_contain_a_line() -> None:
    with pytest.raises(Failure) as caught:
        EnvFile("B=1\n").edited({"A=1\nB": "2"})
    assert caught.value.finding.rule is CONFUSING_FILE


MANY = 20_000


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("K=a b c\n" * 5 * MANY, id="100,000 lines"),
        pytest.param("\n" * 10 * MANY + "x", id="blank lines"),
        pytest.param("K=" + "x" * 250 * MANY, id="one line of 5 MB"),
        pytest.param("K" * 250 * MANY, id="one name of 5 MB"),
        pytest.param("K=" + "'" * 10 * MANY, id="apostrophes"),
        pytest.param("K='x\n" * MANY, id="unclosed"),
        pytest.param("K='" + "\\'" * 10 * MANY, id="escaped"),
        pytest.param("K=a" + " " * 10 * MANY + "b", id="spaces"),
        pytest.param("K=x" + "\u2028'a" * MANY, id="U+2028"),
        pytest.param("export\n" * MANY, id="export"),
        pytest.param("# A=x\nK='a\nb'\n" * MANY, id="commented between multi-line values"),
        pytest.param("#" * 10 * MANY + "\n" + "# " * 10 * MANY, id="hashes"),
    ],
)
def test_takes_linear_time(text: str) -> None:
    assert edit(text, A="new") != text  # pytest's timeout ends quadratic code
