"""100,000 generated files and edits, held against every program that reads an `.env`.

The seed is the day's, so that each day tries others. A failure shows it, and `ENV_FUZZ_SEED=…`
tries the same ones again.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.librechat.hostile import NAMES, Case, Kind, case
from tests.librechat.readers import (
    NodeReader,
    UnreadableError,
    assignments_of_compose,
    assignments_of_python_dotenv,
    has_compose,
    read_by_docker_compose,
    read_by_shell,
)
from wizard.findings import Failure
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
from wizard.librechat.variables import Section

SEED = os.environ.get("ENV_FUZZ_SEED") or f"{datetime.now(UTC):%Y-%m-%d}"
BATCHES, BATCH = 10, 10_000

Assignments = Sequence[tuple[str, str]]
Reader = Callable[[bytes], Assignments]

_LINE_BREAK = re.compile("(\r\n|\n|\r)")
_LONE_CARRIAGE_RETURN = re.compile(r"\r(?!\n)")
# JavaScript's white space, within a line and at its end.
_SPACES = (
    "\t\v\f \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u202f\u205f\u3000\ufeff"
)
_LINE_ENDS = "\n\r\u2028\u2029"
_COMMENT = re.compile(rf"(?P<space>[{_SPACES}]*)(?P<comment>#[^\r\n]*)")
_HEADINGS = {"# Others", *(f"# {section.value}" for section in Section)}
_IDLE = re.compile(
    r"(?P<lead>\ufeff?[ \t]*)(?:#[# \t]*)?(?P<export>(?:export[ \t]+(?!=))?)(?P<rest>.*)"
)
_HAS_NO_COMMON_FORM = re.compile(r"['\\\x00-\x1f\x7f]|\$\{")


@dataclass(frozen=True, slots=True)
class Edited:
    """A case, and its file before and after."""

    case: Case
    before: EnvFile
    after: EnvFile
    changes: tuple[Change, ...]

    @property
    def wanted(self) -> dict[str, str]:
        """The values that were asked for."""
        return {name: value for name, value in self.case.edits.items() if isinstance(value, str)}

    @property
    def expected(self) -> dict[str, str]:
        """All values that shall be read."""
        return self.before.values() | self.wanted


@pytest.fixture
def node() -> Iterator[NodeReader]:
    with NodeReader() as reader:
        yield reader


@pytest.mark.needs("node", "dash")
@pytest.mark.parametrize("batch", range(BATCHES))
def test_no_reader_disagrees_and_no_untouched_byte_changes(
    batch: int, node: NodeReader, tmp_path: Path
) -> None:
    done, refused = edited(range(batch * BATCH, (batch + 1) * BATCH))
    node.ask([each.before.to_bytes() for each in done])
    for each in done:
        assert_nothing_else_changed(each)
    for each, read in zip(done, node.answer(), strict=True):
        assert each.before.values() == read, each.case
    node.ask([each.after.to_bytes() for each in done])
    compared = Counter(
        reader.__name__
        for each in done
        for reader in (assignments_of_python_dotenv, assignments_of_compose)
        if compare(each, reader)
    )
    for each, read in zip(done, node.answer(), strict=True):
        assert each.after.values() == each.expected == read, each.case

    assert compare_with_shell(done, tmp_path) > BATCH // 5
    assert compared[assignments_of_python_dotenv.__name__] > BATCH // 2
    assert compared[assignments_of_compose.__name__] > BATCH // 2 - BATCH // 10
    assert {change.how for each in done for change in each.changes} == set(How)
    assert set(refused) == {UNWRITABLE_VALUE.id, CONFUSING_FILE.id, NOT_TEXT.id, SPANS_LINES.id}
    assert refused[UNWRITABLE_VALUE.id] < BATCH // 20
    assert refused[CONFUSING_FILE.id] < BATCH // 100


def test_docker_compose_reads_what_was_written(tmp_path: Path) -> None:
    if not has_compose():
        pytest.skip("needs docker compose")
    done, _ = edited(number for number in range(1_000) if case(SEED, number).kind is Kind.PLAIN)
    readings = read_by_docker_compose([each.after.to_bytes() for each in done], tmp_path)
    for each, read in zip(done, readings, strict=True):
        assert read == each.expected, each.case


def edited(numbers: Iterator[int] | range) -> tuple[list[Edited], Counter[str]]:
    """What became of each case, and how many were refused by which rule."""
    done = []
    refused: Counter[str] = Counter()
    for each in (case(SEED, number) for number in numbers):
        try:
            before = EnvFile.from_bytes(each.file)
            after, changes = before.edited(each.edits)
        except Failure as failure:
            refused[failure.finding.rule.id] += 1
            assert_rightly_refused(each, failure)
        else:
            done.append(Edited(each, before, after, changes))
    return done, refused


def assert_rightly_refused(each: Case, failure: Failure) -> None:
    rule = failure.finding.rule
    if rule is NOT_TEXT:
        assert b"\0" in each.file or each.file[:2] in {b"\xff\xfe", b"\xfe\xff"}, each
    elif rule is UNWRITABLE_VALUE:
        value = each.edits[failure.finding.variable or ""]
        assert isinstance(value, str), each
        assert _HAS_NO_COMMON_FORM.search(value), each
    else:
        assert rule in {CONFUSING_FILE, SPANS_LINES}, each
        assert each.kind is not Kind.PLAIN, each


def compare(each: Edited, reader: Reader) -> bool:
    """Hold the reader against what was written, where it sees the lines that LibreChat sees."""
    if has_line_end_that_only_librechat_sees(each.before, reader):
        return False
    before = assignments(reader, each.before)
    ours = [(line.name, line.value) for line in each.before.assignments]
    if before is None or not is_alike(before, ours, each.wanted):
        return False
    after = assignments(reader, each.after)
    assert after is not None, (reader.__name__, each.case)
    assert dict(after) == each.expected, (reader.__name__, each.case)
    return True


def assignments(reader: Reader, file: EnvFile) -> Assignments | None:
    """What the reader finds, None where it cannot read the file."""
    try:
        return reader(file.to_bytes())
    except (UnreadableError, UnicodeDecodeError):
        return None


def has_line_end_that_only_librechat_sees(file: EnvFile, reader: Reader) -> bool:
    if reader is assignments_of_compose and _LONE_CARRIAGE_RETURN.search(file.text):
        return True
    ends = [0, *(each.end for each in file.assignments)]
    starts = [*(each.start for each in file.assignments), len(file.text)]
    between = "".join(file.text[end:start] for end, start in zip(ends, starts, strict=True))
    return "\u2028" in between or "\u2029" in between


def is_alike(theirs: Assignments, ours: Assignments, wanted: Mapping[str, str]) -> bool:
    """Whether both read the same names from the same lines, and what is not edited alike."""
    return len(theirs) == len(ours) and all(
        their_name == name
        and (their_value == value or name in wanted)
        and their_value.count("\n") == value.count("\n")
        for (their_name, their_value), (name, value) in zip(theirs, ours, strict=True)
    )


def compare_with_shell(done: Sequence[Edited], folder: Path) -> int:
    sourced = [each for each in done if each.case.is_for_a_shell]
    files = [each.after.to_bytes() for each in sourced]
    for each, read in zip(sourced, read_by_shell("dash", files, NAMES, folder), strict=True):
        assert read == each.expected, each.case
    return len(sourced)


def assert_nothing_else_changed(each: Edited) -> None:
    """That the file is the old one, apart from what the changes tell."""
    expected, after = parts(with_changed_lines(each)), parts(each.after.text)
    remaining = iter(after)
    assert all(part in remaining for part in expected), each.case
    extra = Counter(after) - Counter(expected)
    added = Counter(
        written(each, change) for change in each.changes if change.how in {How.ADDED, How.SUGGESTED}
    )
    assert not added - extra, each.case
    rest = set(extra - added)
    old = each.before.text
    line_break = "\r\n" if old.count("\r\n") * 2 > old.count("\n") else "\n"
    assert rest <= ({line_break, *_HEADINGS} if added else {line_break}), each.case


def parts(text: str) -> list[str]:
    """The lines and, each by itself, what ends them."""
    return [part for part in _LINE_BREAK.split(text) if part]


def with_changed_lines(each: Edited) -> str:
    """The old text with each changed value in its place."""
    text = each.before.text
    last = {assignment.name: assignment for assignment in each.before.assignments}
    replaced = []
    for change in each.changes:
        if change.how is How.CHANGED:
            replaced.append((last[change.name].start, last[change.name].end, written(each, change)))
        elif change.how is How.UNCOMMENTED:
            start, line = line_at(text, change.line)
            replaced.append((start, start + len(line), uncommented(line, written(each, change))))
    for start, end, new in sorted(replaced, reverse=True):
        text = text[:start] + new + with_space_before_comment(text[end:])
    return text


def written(each: Edited, change: Change) -> str:
    """The assignment that the change made."""
    if change.how is How.SUGGESTED:
        value = each.case.edits[change.name]
        assert isinstance(value, Suggestion)
        return f"# {change.name}={quoted(value.value)}"
    last = {assignment.name: assignment for assignment in each.after.assignments}
    return f"{change.name}={last[change.name].raw}"


def line_at(text: str, number: int) -> tuple[int, str]:
    lines_and_ends = _LINE_BREAK.split(text)
    index = 2 * (number - 1)
    return sum(map(len, lines_and_ends[:index])), lines_and_ends[index]


def with_space_before_comment(rest: str) -> str:
    comment = _COMMENT.match(rest)
    if comment is None or comment["space"].endswith(" "):
        return rest
    return f" {rest[comment.start('comment') :]}"


def uncommented(line: str, after: str) -> str:
    """The line without its hash and with another value; its `export` and its comment stay."""
    idle = _IDLE.fullmatch(line)
    assert idle is not None
    old = EnvFile(idle["rest"]).assignments
    comment = _COMMENT.match(idle["rest"], old[0].end) if old else None
    kept = f" {comment['comment'].rstrip(_SPACES + _LINE_ENDS)}" if comment else ""
    return f"{idle['lead']}{idle['export']}{after}{kept}"
