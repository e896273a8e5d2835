"""Rules on the file itself: its syntax, permissions and variable names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from wizard.doctor.check import OVERRIDES_FILE, Check, Edits, Repair, Violation, check, on
from wizard.doctor.subject import Subject, is_of_sign_in, of_the_table
from wizard.findings import Finding
from wizard.language import Message
from wizard.librechat.characters import visible
from wizard.librechat.env_file import Assignment
from wizard.librechat.env_plan import READ_DIFFERENTLY, SET_TWICE, read_differently, set_twice
from wizard.librechat.environment import Origin
from wizard.librechat.permissions import private_fix
from wizard.librechat.variables import (
    CHECKED_AGAINST,
    INVENTED,
    VARIABLES,
    is_known,
    known_names,
)
from wizard.librechat.versions import is_older
from wizard.rules import rule
from wizard.settings import TYPOGRAPHIC_QUOTES, has_stray_quote, is_command, pasted
from wizard.system.platforms import command_line

NO_FILE = rule("LA159")
IGNORES_NOTHING = rule("LA183")

_SILENCED = r"(?im)^[ \t]*#[ \t]*librechat-auth0:[ \t]*ignore[ \t]+(?P<ids>[^\r\n]*)"
_REFERENCED = r"\$\{?([A-Za-z_]\w*)"
_ASSIGNMENT = r"[A-Za-z_][A-Za-z0-9_]*="
_RULE_ID = r"(?i)\bLA\d+\b"
_OTHERS_READ = 0o004
# One letter of difference proves nothing for shorter names.
_SHORTEST_SLIP = 8
_LONGEST_SLIP = 60


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


def _without_quotes(subject: Subject, name: str) -> Edits:
    value = visible(subject.value(name))
    if not VARIABLES[name].secret:
        return {name: pasted(value)}
    # A quote may be part of a secret.
    bare = value.strip(TYPOGRAPHIC_QUOTES)
    return {name: bare} if bare != value else {}


def _is_cut_at_hash(subject: Subject, name: str) -> Violation | None:
    assignment = subject.assignments[name]
    if not (assignment.comment_is_glued and assignment.raw) or assignment.raw[0] in "'\"`":
        return None
    setting = subject.environment.get(name)
    if setting and setting.origin is Origin.ENV_FILE and setting.value != assignment.value:
        return None  # Docker Compose read it, which does not cut it
    return Violation(
        "{seen} is all that LibreChat reads.",
        fix=Message(
            "If the # belongs to it, write line {line} as {name}='…' with the whole value in"
            " the quotes; if not, put a space before the #."
        ),
    )


def _leads_nowhere(subject: Subject, name: str) -> bool:
    """A value that Compose expands as it sets it, by a reference that leads nowhere."""
    assignment = subject.assignments[name]
    setting = subject.container.variables.get(name) if subject.container else None
    if setting is None or setting.origin is not Origin.ENV_FILE or assignment.raw.startswith("'"):
        return False
    unknown = {*re.findall(_REFERENCED, assignment.raw)} - {*subject.assignments, *subject.environ}
    return bool(unknown) and setting.value != assignment.value


def _is_oddly_written(assignment: Assignment) -> bool:
    is_told = assignment.comment_is_glued or _runs_over_lines(assignment)
    return not (assignment.is_plain or is_told)


def _same_value(subject: Subject, name: str) -> Edits:
    """The same value, which the engine writes as every parser reads it, if on one line."""
    assignment = subject.assignments[name]
    return {} if assignment.spans_lines else {name: assignment.value}


def _windows_lines(subject: Subject) -> Iterator[Violation]:
    text = subject.file.text
    has_mark = text.startswith("\ufeff")
    if "\r" in text and has_mark:
        yield Violation("It has Windows line endings and a byte order mark.")
    elif "\r" in text:
        yield Violation("It has Windows line endings.")
    elif has_mark:
        yield Violation("It has a byte order mark.")


def _read_differently(subject: Subject) -> Iterator[Finding]:
    ours = {name: value for name, value in subject.file.values().items() if name in VARIABLES}
    for each in read_differently(subject.file, ours):
        name = each.variable or ""
        if _is_told(subject.assignments[name]):
            continue
        found = _own_cause(subject, name)
        yield found.finding(READ_DIFFERENTLY, subject) if found else each


def _own_cause(subject: Subject, name: str) -> Violation | None:
    """Why the line itself is read differently; None where a line above it is the cause."""
    assignment = subject.assignments[name]
    if _has_colon(subject, name):
        fix = Message("Write line {line} as {name}=value.")
        return Violation("Line {line} has a colon where = belongs.", fix=fix, variable=name)
    sign = next((each for each in ("`", "\\") if each in assignment.raw), "")
    if not sign:
        return None
    fix = Message("Write line {line} as {name}='…', without {sign} in the value.")
    return Violation("Line {line} has a {sign}.", fix=fix, variable=name, sign=sign)


def _is_told(assignment: Assignment) -> bool:
    value = assignment.value
    is_odd = "\n" in value or is_command(value) or _has_stray_quote(assignment)
    return is_odd or assignment.comment_is_glued


def _has_colon(subject: Subject, name: str) -> bool:
    """Whether the line is `NAME: value`, which LibreChat reads and others do not."""
    return subject.file.text.startswith(":", subject.assignments[name].start + len(name))


def _rewritten(subject: Subject, name: str) -> Edits:
    return _same_value(subject, name) if _own_cause(subject, name) else {}


def _readable_by_others(subject: Subject) -> Iterator[Violation]:
    access = subject.facts.access
    if access is not None and access.mode & _OTHERS_READ:
        fix = private_fix(subject.runner.reader, access, subject.path)
        yield Violation("Its mode is {mode}.", fix=fix, mode=f"{access.mode:03o}")


def _tracked(subject: Subject) -> Iterator[Violation]:
    if subject.facts.is_tracked:
        yield Violation(
            "{path}",
            fix=Message(
                "Run git rm --cached {file}, add {file} to .gitignore, and change every secret in"
                " it."
            ),
            path=subject.path,
            file=command_line([subject.path.name]),
        )


def _unknown_names(subject: Subject) -> list[str]:
    known = subject.example_names
    return [name for name in subject.assignments if not is_known(name) and name not in known]


def _is_too_new(subject: Subject, name: str) -> bool:
    is_newer = is_older(CHECKED_AGAINST, subject.version)
    return name.startswith("OPENID_") and is_newer and not _meant(name)


def _is_unknown(subject: Subject, name: str) -> bool | Violation:
    if not name.startswith("OPENID_") or _is_too_new(subject, name):
        return False
    return _use_meant(subject, name) or True


def _unreferenced_names(subject: Subject) -> list[str]:
    # The values of others are for other variables.
    referenced = {*re.findall(_REFERENCED, subject.file.text)}
    unknown = [name for name in _unknown_names(subject) if name not in referenced]
    return [name for name in unknown if not name.startswith("OPENID_")]


def _use_meant(_: Subject, name: str) -> Violation | None:
    meant = _meant(name)
    return Violation(fix=Message("Use {name} in its place."), name=meant) if meant else None


def _meant(name: str) -> str:
    """The name that was probably meant, one edit away; "" for none."""
    upper = name.upper()
    if upper in INVENTED:
        return INVENTED[upper]
    if is_known(whole := upper.removesuffix("_FILE")):  # for a Docker secret
        return whole
    squeezed = _squeezed(upper)
    if not _SHORTEST_SLIP <= len(squeezed) <= _LONGEST_SLIP:
        return ""
    near = _names_by_what_is_left()
    return next((near[left] for left in _with_one_left_out(squeezed) if left in near), "")


@cache
def _names_by_what_is_left() -> Mapping[str, str]:
    """The names by themselves and with one letter less: words one edit apart share one of these."""
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


def _is_overridden(subject: Subject, name: str) -> Violation | None:
    setting = subject.overriding(name)
    is_shell = setting is not None and setting.origin is Origin.SHELL
    return Violation(OVERRIDES_FILE, fix=f"unset {name}") if is_shell else None


def _is_proxy_missing(subject: Subject, _: str) -> str:
    has_proxy = subject.environ.get("HTTPS_PROXY") or subject.environ.get("https_proxy")
    told = any(subject.value(name) for name in ("PROXY", "HTTPS_PROXY", "https_proxy"))
    is_missing = has_proxy and not told and subject.runner.is_compose
    return Message("HTTPS_PROXY is set here.") if is_missing else ""


def _written(
    identifier: str, is_wrong: Callable[[Assignment], bool], repair: Repair | None = None
) -> Check:
    """Return the check of how the file writes the variables of the table."""
    return on(identifier, of_the_table, lambda it, name: is_wrong(it.assignments[name]), repair)


CHECKS = (
    _written("LA152", _runs_over_lines),
    _written("LA153", _has_stray_quote, _without_quotes),
    Check(SET_TWICE, lambda subject: set_twice(subject.file)),
    on("LA154", lambda it: it.assignments, _is_cut_at_hash),
    Check(READ_DIFFERENTLY, _read_differently, _rewritten),
    on("LA155", of_the_table, _leads_nowhere, _same_value),
    on("LA180", _unknown_names, _is_unknown),
    on("LA186", _unknown_names, _is_too_new),
    on("LA181", _unreferenced_names, _use_meant),
    on("LA182", lambda it: filter(is_of_sign_in, it.assignments), _is_overridden),
    check("LA158", _tracked),
    check("LA157", _readable_by_others),
    _written("LA156", _is_oddly_written, _same_value),
    check("LA185", _windows_lines),
    on("LA184", "PROXY", _is_proxy_missing),
)
# Those of `wizard.librechat.env_plan` are in its own; the command itself sees the last two.
