"""Edits of `librechat.yaml` change only the intended lines, as read by LibreChat's parser."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Sequence
from difflib import ndiff
from typing import Any

import pytest

from tests.conftest import lacking
from tests.librechat.readers import NODE_FOLDER
from wizard.findings import ExitCode, Failure
from wizard.librechat.config_edit import NOT_EDITABLE, ConfigEdit, with_allowed_domains

DOMAINS = ("acme.test", "sub.acme.test")


def edited(text: str | bytes | None, domains: Sequence[str] = DOMAINS) -> ConfigEdit:
    content = text.encode() if isinstance(text, str) else text
    return with_allowed_domains(content, domains, "librechat.yaml")


def read_as_librechat(texts: Sequence[bytes]) -> list[Any]:
    """Return what js-yaml reads in each, or None if it rejects one."""
    if not (NODE_FOLDER / "node_modules/js-yaml").is_dir():
        lacking("`npm ci --prefix tests/node`")
    asked = json.dumps([base64.b64encode(each).decode() for each in texts])
    done = subprocess.run(
        ["node", "read_yaml.cjs"],
        cwd=NODE_FOLDER,
        input=asked.encode(),
        capture_output=True,
        check=True,
    )
    answer: list[Any] = json.loads(done.stdout)
    return answer


# The text before, and the lines that an edit removes and adds.
BLOCK = ["+ registration:", "+   allowedDomains:", '+     - "acme.test"', '+     - "sub.acme.test"']
ITEMS = ['+     - "acme.test"', '+     - "sub.acme.test"']
FLOW = '["acme.test", "sub.acme.test"]'
EDITS: dict[str, tuple[str, list[str]]] = {
    "no section": ("version: 1.3.0\ncache: true\n", ["+ ", *BLOCK]),
    "no section, no last line break": ("version: 1.3.0", ["+ ", *BLOCK]),
    "a literal block": ("version: 1.3.0\nfooter: |+\n  Hi\n\n", BLOCK),
    "an explicit document end": ("---\nversion: 1.3.0\n...\n", BLOCK),
    "only comments": ("# nothing yet\n", ["+ version: \"1.0.5\"", "+ ", *BLOCK]),
    "a section in the middle": (
        "version: 1.3.0\nregistration: # who\n  # allowedDomains:\n  # - \"gmail.com\"\n"
        "  socialLogins: ['openid']\n\ncache: true\n",
        ["+   allowedDomains:", *ITEMS],
    ),
    "an empty section": (
        "version: 1.3.0\nregistration:   # later\n",
        ["- registration:   # later", "+ registration:", "+   allowedDomains:", ITEMS[0],
         f"{ITEMS[1]}   # later"],
    ),
    "a section that is null": (
        "version: 1.3.0\nregistration: ~\ncache: true\n",
        ["- registration: ~", "+ registration: ", "+   allowedDomains:", *ITEMS],
    ),
    "a section in braces": (
        "registration: {socialLogins: [openid]}\nversion: 1.3.0\n",
        ["- registration: {socialLogins: [openid]}",
         f'+ registration: {{"allowedDomains": {FLOW}, socialLogins: [openid]}}'],
    ),
    "an empty section in braces": (
        "registration: {}\n",
        ["- registration: {}", f'+ registration: {{"allowedDomains": {FLOW}}}'],
    ),
    "everything in braces": (
        '{"version": "1.3.0"}',
        ['- {"version": "1.3.0"}',
         f'+ {{"registration": {{"allowedDomains": {FLOW}}}, "version": "1.3.0"}}'],
    ),
    "one kept, one removed, one new": (
        "registration:\n  allowedDomains:\n  # ours\n  - Acme.Test  # kept\n  - old.test # gone\n"
        "  socialLogins: [openid]\n",
        ["-   - old.test # gone", '+   - "sub.acme.test"'],
    ),
    "all removed, no last line break": (
        "registration:\n  allowedDomains:\n    -  'old.test'",
        ["-     -  'old.test'", '+     -  "acme.test"', '+     -  "sub.acme.test"'],
    ),
    "already set": ("registration:\n  allowedDomains: [Acme.test, sub.acme.test]\n", []),
    "a list in brackets": (
        "registration:\n  allowedDomains: [ 'old.test' ]  # mine\nversion: 1.3.0\n",
        ["-   allowedDomains: [ 'old.test' ]  # mine", f"+   allowedDomains: {FLOW}  # mine"],
    ),
    "an empty list": (
        "registration:\n  allowedDomains:\n  socialLogins: [openid]\n",
        ["-   allowedDomains:", f"+   allowedDomains: {FLOW}"],
    ),
    "a merged section": (
        "base: &base\n  socialLogins: [openid]\nregistration:\n  <<: *base\n",
        ["+   allowedDomains:", *ITEMS],
    ),
    "tabs where js-yaml allows them": (
        "version:\t1.3.0\t# x\n\t# y\n \t\nregistration:\n  socialLogins:\t[openid]\t\n"
        "footer: |\n  a\n  \tb\n",
        ["+   allowedDomains:", *ITEMS],
    ),
    "line breaks of other systems": (
        "version: 1.3.0\r\nregistration:\r\n  socialLogins: [openid]\r\n",
        ["+   allowedDomains:", *ITEMS],
    ),
    "anchors, Unicode and block texts": (
        "\ufeffversion: 1.3.0\nname: 😀 \u2028 é\nx: &x {a: 1}\ny: *x\nz: >-\n  registration:\n"
        "    allowedDomains: [no]\nregistration:\n  socialLogins: &l [openid]\nq: *l\n",
        ["+   allowedDomains:", *ITEMS],
    ),
}  # fmt: skip


def changed_lines(before: str, after: bytes) -> list[str]:
    pairs = ndiff(before.split("\n"), after.decode().replace("\r\n", "\n").split("\n"))
    return [line for line in pairs if line[0] in "+-" and line not in {"+ ", "- "}]


@pytest.mark.parametrize("name", EDITS)
def test_changes_only_the_intended_lines(name: str) -> None:
    text, lines = EDITS[name]
    edit = edited(text)
    wanted = [line for line in lines if line != "+ "]
    before = text.replace("\r\n", "\n")
    if "\n" not in text[-1:]:  # the last line gets a line break
        before = f"{text}\n"
    assert sorted(changed_lines(before, edit.after)) == sorted(wanted)
    assert ("\r\n" in text) == (b"\r\n" in edit.after)
    assert b"\r\n" not in edit.after or edit.after.count(b"\r\n") == edit.after.count(b"\n")
    assert bool(edit.removed or edit.added) == bool(lines)
    # A second run changes nothing.
    assert edited(edit.after).after == edit.after


def test_librechat_reads_the_domains_and_the_rest_unchanged() -> None:
    texts = [text.encode() for text, _ in EDITS.values()]
    befores = read_as_librechat(texts)
    afters = read_as_librechat([edited(text).after for text in texts])
    for name, before, after in zip(EDITS, befores, afters, strict=True):
        allowed = after["registration"].pop("allowedDomains")
        assert sorted(map(str.lower, allowed)) == sorted(DOMAINS), name
        expected = {"version": after.get("version"), **(before or {})}
        section = dict(expected.get("registration") or {})
        section.pop("allowedDomains", None)
        expected["registration"] = section
        assert after == {k: v for k, v in expected.items() if k in after}, name
        assert expected.keys() >= after.keys()


def test_a_new_file() -> None:
    edit = edited(None)
    read = read_as_librechat([edit.after])[0]
    assert read == {"version": "1.0.5", "registration": {"allowedDomains": [*DOMAINS]}}


@pytest.mark.parametrize(
    "text",
    [
        "version: 1.3.0\nversion: 1.3.1\n",
        "a: {b: 1, b: 2}\n",
        "- version\n",
        "just text",
        "version: [1.3.0\n",
        "version: 1.3.0\n---\nversion: 1.3.0\n",
        "x: &x\n  - a.test\nregistration:\n  allowedDomains: *x\n",
        "x: &x {socialLogins: [openid]}\nregistration: *x\n",
        "registration: [openid]\n",
        "a:\n\tb: 1\n",
        "registration:\n  allowedDomains:\n  - &d old.test\nmore: *d\n",
        b"version: '\xff'\n",
    ],
)
def test_rejects_an_uneditable_file_with_the_lines_to_add(text: str | bytes) -> None:
    with pytest.raises(Failure) as refused:
        edited(text)
    assert refused.value.finding.rule is NOT_EDITABLE
    assert refused.value.exit_code is ExitCode.FILE
    assert "allowedDomains: [acme.test, sub.acme.test]" in str(refused.value.finding.fix)


def test_a_large_file() -> None:
    endpoint = '    # {0}\n    - name: "e{0}"\n      apiKey: "${{KEY_{0}}}"\n      models: [a, b]\n'
    head = "version: 1.3.0\nregistration:\n  socialLogins: [openid]\nendpoints:\n  custom:\n"
    text = head + "".join(map(endpoint.format, range(4_000)))
    assert len(text) > 300_000
    added = '  allowedDomains:\n    - "acme.test"\n    - "sub.acme.test"\n'
    assert edited(text).after.decode() == text.replace("  socialLogins", f"{added}  socialLogins")
