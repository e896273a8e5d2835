"""Rules on the file itself: its syntax, permissions and variable names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial

from wizard.doctor.check import Check, Edits, Repair
from wizard.doctor.subject import Subject, of_the_table
from wizard.findings import Finding, Rule
from wizard.language import Message
from wizard.librechat.access import private_fix
from wizard.librechat.characters import visible
from wizard.librechat.env_file import Assignment
from wizard.librechat.env_plan import READ_DIFFERENTLY, SET_TWICE, read_differently, set_twice
from wizard.librechat.environment import Origin
from wizard.librechat.variables import (
    CHECKED_AGAINST,
    INVENTED,
    VARIABLES,
    Section,
    is_known,
    known_names,
)
from wizard.librechat.versions import is_older
from wizard.rules import rule
from wizard.settings import TYPOGRAPHIC_QUOTES, has_stray_quote, is_command, pasted

CUT_AT_HASH = rule("LA154")
DOLLAR = rule("LA155")
READABLE_BY_OTHERS = rule("LA157")
TRACKED = rule("LA158")
NO_FILE = rule("LA159")
UNKNOWN_NAME = rule("LA180")
SLIP = rule("LA181")
SHELL_WINS = rule("LA182")
IGNORES_NOTHING = rule("LA183")
PROXY_MISSING = rule("LA184")
WINDOWS_LINES = rule("LA185")
NOT_KNOWN_HERE = rule("LA186")

_SILENCED = r"(?im)^[ \t]*#[ \t]*librechat-auth0:[ \t]*ignore[ \t]+(?P<ids>[^\r\n]*)"
_REFERENCED = r"\$\{?([A-Za-z_]\w*)"
_ASSIGNMENT = r"[A-Za-z_][A-Za-z0-9_]*="
_RULE_ID = r"(?i)\bLA\d+\b"
_OTHERS_READ = 0o004
# Shorter names are too near to others' for one letter to tell anything.
_SHORTEST_SLIP = 8
_LONGEST_SLIP = 60
_OURS = (Section.OPENID, Section.LOGIN)


def silenced_rules(text: str) -> frozenset[str]:
    """Return the rules that comments silence: `# librechat-auth0: ignore LA123, LA124`."""
    if "librechat-auth0" not in text.lower():
        return frozenset()
    return frozenset(
        identifier.upper()
        for found in re.finditer(_SILENCED, text)
        for identifier in re.findall(_RULE_ID, found["ids"])
    )


def _runs_over_lines(assignment: Assignment) -> bool:
    """Whether the value has several lines, or is an assignment on the line below its name."""
    is_below = assignment.spans_lines and re.match(_ASSIGNMENT, assignment.raw)
    return "\n" in assignment.value.strip() or bool(is_below)


def _has_stray_quote(assignment: Assignment) -> bool:
    is_judged_elsewhere = "\n" in assignment.value.strip() or is_command(assignment.value)
    return not is_judged_elsewhere and has_stray_quote(assignment.value)


def _without_quotes(subject: Subject, finding: Finding) -> Edits:
    name = finding.variable or ""
    value = visible(subject.value(name))
    if not VARIABLES[name].secret:
        return {name: pasted(value)}
    # A quote may be part of a secret.
    bare = value.strip(TYPOGRAPHIC_QUOTES)
    return {name: bare} if bare != value else {}


def _cut_at_hash(subject: Subject) -> Iterator[Finding]:
    for name, assignment in subject.assignments.items():
        if assignment.comment_is_glued and assignment.raw and assignment.raw[0] not in "'\"`":
            detail = Message("{seen} is all that LibreChat reads.", seen=subject.seen(name))
            fix = Message(
                "If the # belongs to it, write line {line} as {name}='…' with the whole value in"
                " the quotes; if not, put a space before the #.",
                line=subject.line(assignment),
                name=name,
            )
            yield subject.finding(CUT_AT_HASH, name, detail, fix=fix)


def _dollar(subject: Subject) -> Iterator[Finding]:
    """A value that Compose expands as it sets it, by a reference that leads nowhere."""
    known = {*subject.assignments, *subject.environ}
    variables = subject.container.variables if subject.container else {}
    for assignment in of_the_table(subject):
        setting = variables.get(assignment.name)
        if setting is None or setting.origin is not Origin.ENV_FILE:
            continue
        if not assignment.raw.startswith("'"):
            names = {*re.findall(_REFERENCED, assignment.raw)}
            if names - known and setting.value != assignment.value:
                yield subject.finding(DOLLAR, assignment.name)


def _is_oddly_written(assignment: Assignment) -> bool:
    is_told = assignment.comment_is_glued or _runs_over_lines(assignment)
    return (not assignment.is_plain or assignment.raw[:1] == "`") and not is_told


def _same_value(subject: Subject, finding: Finding) -> Edits:
    """The same value, which the engine writes as every parser reads it, if on one line."""
    name = finding.variable or ""
    assignment = subject.assignments[name]
    return {} if assignment.spans_lines else {name: assignment.value}


def _windows_lines(subject: Subject) -> Iterator[Finding]:
    text = subject.file.text
    has_mark = text.startswith("\ufeff")
    if "\r" in text:
        yield WINDOWS_LINES.finding(
            Message("It has Windows line ends and a byte order mark.")
            if has_mark
            else Message("It has Windows line ends.")
        )
    elif has_mark:
        yield WINDOWS_LINES.finding(Message("It has a byte order mark."))


def _read_differently(subject: Subject) -> Iterator[Finding]:
    values = subject.file.values()
    told = {
        assignment.name
        for assignment in of_the_table(subject)
        if assignment.comment_is_glued
        or _has_stray_quote(assignment)
        or "\n" in assignment.value
        or is_command(assignment.value)
    }
    ours = {name: value for name, value in values.items() if name in VARIABLES}
    for finding in read_differently(subject.file, ours):
        name = finding.variable or ""
        if name in told:
            continue
        if _has_colon(subject, name):
            line = subject.line_of(name)
            yield subject.finding(
                READ_DIFFERENTLY,
                name,
                Message("Line {line} has a colon where = belongs.", line=line),
                fix=Message("Write line {line} as {name}=value.", line=line, name=name),
            )
        else:
            yield finding


def _has_colon(subject: Subject, name: str) -> bool:
    """Whether the line is `NAME: value`, which LibreChat reads and others do not."""
    return subject.file.text.startswith(":", subject.assignments[name].start + len(name))


def _colon_replaced(subject: Subject, finding: Finding) -> Edits:
    return _same_value(subject, finding) if _has_colon(subject, finding.variable or "") else {}


def _readable_by_others(subject: Subject) -> Iterator[Finding]:
    access = subject.facts.access
    if access is not None and access.mode & _OTHERS_READ:
        yield READABLE_BY_OTHERS.finding(
            Message("Its mode is {mode}.", mode=f"{access.mode:03o}"),
            fix=private_fix(subject.runner.reader, access, subject.path),
        )


def _tracked(subject: Subject) -> Iterator[Finding]:
    if subject.facts.is_tracked:
        name = subject.path.name
        yield TRACKED.finding(
            Message("{file}", file=subject.path),
            fix=Message(
                "Run git rm --cached {file}, add {file} to .gitignore, and change every secret in"
                " it.",
                file=name,
            ),
        )


def _unknown_name(subject: Subject) -> Iterator[Finding]:
    for name in subject.assignments:
        if name.startswith("OPENID_") and not _is_known(name, subject):
            meant = _meant(name)
            if not meant and is_older(CHECKED_AGAINST, subject.version):
                yield subject.finding(NOT_KNOWN_HERE, name)
            else:
                yield subject.finding(UNKNOWN_NAME, name, fix=_use(meant) if meant else None)


def _of_rule(rule: Rule, subject: Subject) -> Iterator[Finding]:
    return (finding for finding in _unknown_name(subject) if finding.rule is rule)


def _slip(subject: Subject) -> Iterator[Finding]:
    # Their values are for other variables.
    referenced = {*re.findall(_REFERENCED, subject.file.text)}
    for name in subject.assignments:
        if name.startswith("OPENID_") or name in referenced or _is_known(name, subject):
            continue
        if meant := _meant(name):
            yield subject.finding(SLIP, name, fix=_use(meant))


def _use(meant: str) -> Message:
    return Message("Use {name} in its place.", name=meant)


def _is_known(name: str, subject: Subject) -> bool:
    return is_known(name) or name in subject.example_names


def _meant(name: str) -> str:
    """The name that was probably meant, one edit away; "" for none."""
    upper = name.upper()
    if upper in INVENTED:
        return INVENTED[upper]
    squeezed = _squeezed(upper)
    if not _SHORTEST_SLIP <= len(squeezed) <= _LONGEST_SLIP:
        return ""
    near = _names_by_what_is_left()
    return next((near[left] for left in _with_one_left_out(squeezed) if left in near), "")


@cache
def _names_by_what_is_left() -> Mapping[str, str]:
    """Each name by itself and with one letter less: words one edit apart share one of these."""
    return {
        left: name
        for name in known_names()
        if len(_squeezed(name)) >= _SHORTEST_SLIP
        for left in _with_one_left_out(_squeezed(name))
    }


def _with_one_left_out(word: str) -> Iterator[str]:
    yield word
    for place in range(len(word)):
        yield word[:place] + word[place + 1 :]


def _squeezed(name: str) -> str:
    return re.sub(r"[_.-]", "", name)


def _shell_wins(subject: Subject) -> Iterator[Finding]:
    for assignment in of_the_table(subject):
        name = assignment.name
        if VARIABLES[name].section not in _OURS and not name.startswith("DOMAIN_"):
            continue
        setting = subject.environment.get(name)
        if setting is None or setting.origin is not Origin.SHELL:
            continue
        if setting.value != assignment.value:
            detail = Message(
                "{seen}. The .env has another value on line {line}.",
                seen=subject.seen(name),
                line=subject.line(assignment),
            )
            yield subject.finding(SHELL_WINS, name, detail, fix=f"unset {name}")


def _proxy_missing(subject: Subject) -> Iterator[Finding]:
    has_proxy = subject.environ.get("HTTPS_PROXY") or subject.environ.get("https_proxy")
    told = any(subject.value(name) for name in ("PROXY", "HTTPS_PROXY", "https_proxy"))
    if has_proxy and not told and subject.runner.is_compose:
        yield PROXY_MISSING.finding(Message("HTTPS_PROXY is set here."), variable="PROXY")


def _written(
    identifier: str, is_wrong: Callable[[Assignment], bool], repair: Repair | None = None
) -> Check:
    """Return the check of how the file writes the variables of the table."""
    found = rule(identifier)

    def judge(subject: Subject) -> Iterator[Finding]:
        wrong = (each for each in of_the_table(subject) if is_wrong(each))
        return (subject.finding(found, each.name) for each in wrong)

    return Check(found, judge, repair)


CHECKS = (
    _written("LA152", _runs_over_lines),
    _written("LA153", _has_stray_quote, _without_quotes),
    Check(SET_TWICE, lambda subject: set_twice(subject.file)),
    Check(CUT_AT_HASH, _cut_at_hash),
    Check(READ_DIFFERENTLY, _read_differently, _colon_replaced),
    Check(DOLLAR, _dollar, _same_value),
    Check(UNKNOWN_NAME, partial(_of_rule, UNKNOWN_NAME)),
    Check(NOT_KNOWN_HERE, partial(_of_rule, NOT_KNOWN_HERE)),
    Check(SLIP, _slip),
    Check(SHELL_WINS, _shell_wins),
    Check(TRACKED, _tracked),
    Check(READABLE_BY_OTHERS, _readable_by_others),
    _written("LA156", _is_oddly_written, _same_value),
    Check(WINDOWS_LINES, _windows_lines),
    Check(PROXY_MISSING, _proxy_missing),
)
# Those of `wizard.librechat.env_plan` are in its own; the command itself sees the last two.
