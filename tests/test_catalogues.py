"""The catalogues: complete, in step with the code, and chosen as a user expects."""

from __future__ import annotations

import ast
import importlib.resources
import os
import re
import shutil
import subprocess
import sys
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog
from babel.messages.mofile import read_mo
from babel.messages.pofile import read_po

from tests.e2e.program import PROGRAM
from tests.languages import speaking
from tools.texts import KEYWORDS, LOCALE, collected, contents
from wizard.defaults import ENGLISH, LANGUAGES
from wizard.language import (
    CATALOGUE,
    Language,
    Message,
    joined,
    language_name,
    sentences,
)

TRANSLATED = [name for name in LANGUAGES if name != ENGLISH]
# Parts that a translation must keep unchanged.
_KEPT = re.compile(
    r"https?://\w[^\s;,)]*\w|--[a-z][a-z-]+|[A-Z][A-Z0-9]*_[A-Z_0-9]+|LA\d{3}|“Continue with Auth0”"
    r"|Allowed Callback URL|Regular Web Application|Allow Offline Access|Client Secret \(Post\)"
)


def catalogue_of(language: str) -> Catalog:
    path = LOCALE / language / "LC_MESSAGES" / f"{CATALOGUE}.po"
    with path.open("rb") as file:
        return read_po(file, language)


def texts_of(catalogue: Catalog) -> dict[object, object]:
    return {each.id: (each.string, sorted(each.locations)) for each in catalogue if each.id}


def fields(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_text_is_translated(language: str) -> None:
    catalogue = catalogue_of(language)

    missing = [each.id for each in collected() if each.id and each.id not in catalogue]
    empty = [message.id for message in catalogue if message.id and not message.string]
    unsure = [message.id for message in catalogue if message.id and message.fuzzy]

    assert not missing, "run: python -m tools.texts, and translate them"
    assert not empty
    assert not unsure


def test_no_text_is_inside_an_f_string() -> None:
    """Babel finds it there on Python 3.12 and later only."""
    assert not [
        f"{path.relative_to(LOCALE.parent)}:{call.lineno}"
        for path in sorted(LOCALE.parent.rglob("*.py"))
        for string in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(string, ast.JoinedStr)
        for call in ast.walk(string)
        if isinstance(call, ast.Call) and _takes_a_text(call)
    ]


def _takes_a_text(call: ast.Call) -> bool:
    name = ast.unparse(call.func).rpartition(".")[2]
    (position,) = KEYWORDS.get(name, (0,))
    texts = call.args[position - 1 : position] if position else []
    return any(isinstance(text, ast.Constant) and isinstance(text.value, str) for text in texts)


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_files_match_the_code(language: str) -> None:
    """Versions of Babel differ in headers and line breaks, which do not count."""
    folder = LOCALE / language / "LC_MESSAGES"

    for name, content in contents(language).items():
        read = read_mo if name.endswith(".mo") else read_po
        kept, made = read(BytesIO((folder / name).read_bytes())), read(BytesIO(content))
        assert texts_of(kept) == texts_of(made), "run: python -m tools.texts"


@pytest.mark.parametrize("language", TRANSLATED)
def test_translations_keep_fields_names_and_links(language: str) -> None:
    """Fields, links, options, variables, rules and the dashboard's terms."""
    for message in catalogue_of(language):
        if message.id:
            english, said = str(message.id), str(message.string)
            assert fields(said) == fields(english), english
            if fields(english):
                said.format_map(dict.fromkeys(fields(english), ""))  # does not raise
            assert set(_KEPT.findall(said)) == set(_KEPT.findall(english)), english
            assert said[-1:] in ".:?!" or english[-1:] not in ".:?!", english
            assert said == said.strip() or english != english.strip(), english
            # A bad merge of two translations leaves both, one after the other.
            assert len(said) < 1.8 * max(60, len(english)), english


def test_a_new_language_has_every_text_and_falls_back_to_english() -> None:
    files = contents("fy")
    begun = read_po(BytesIO(files[f"{CATALOGUE}.po"]), "fy")
    language = Language("fy", GNUTranslations(BytesIO(files[f"{CATALOGUE}.mo"])))

    assert {each.id for each in begun} == {each.id for each in collected()}
    assert not any(each.string for each in begun if each.id)
    assert language.say(Message("Next: {step}", step="x")) == "Next: x"


def test_a_message_is_its_english_text() -> None:
    message = Message("{count} files in {folder}", count=2, folder="/x")

    assert message == "2 files in /x"
    assert f"{message:>14}" == " 2 files in /x"
    assert sentences("A.", "", "B.") == "A. B."
    assert joined(", ", ["a", Message("b {c}", c="{d}")]) == "a, b {d}"
    assert Message("{braces} stay") == "{braces} stay"


def test_translates_messages_inside_a_message() -> None:
    language = speaking({"a {color} house, {size}": "een {size} huis, {color}", "red": "rood"})

    said = language.say(Message("a {color} house, {size}", color=Message("red"), size="red"))

    assert said == "een red huis, rood"
    assert language.say("red") == "rood"
    assert language.say("unknown {text}") == "unknown {text}"
    assert language.say("") == ""


def test_foreign_text_is_not_a_template() -> None:
    hostile = "{words} {words.__class__} {0} {"
    language = speaking({"It said: {words}": "Het zei: {words}"})

    assert language.say(Message("It said: {words}", words=hostile)) == f"Het zei: {hostile}"
    assert language.say(Message.of(hostile)) == hostile
    assert language.say(sentences(hostile, hostile)) == f"{hostile} {hostile}"
    assert language.say(hostile) == hostile


@pytest.mark.parametrize("kept_bytes", [0, 3, 20, 5000, 90_000, -1])
def test_falls_back_to_english_with_a_damaged_catalogue(
    kept_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"nl/LC_MESSAGES/{CATALOGUE}.mo"
    (tmp_path / "locale" / name).parent.mkdir(parents=True)
    (tmp_path / "locale" / name).write_bytes((LOCALE / name).read_bytes()[:kept_bytes])
    monkeypatch.setattr(importlib.resources, "files", lambda _: tmp_path)

    language = Language.named("nl")

    assert (language.name, language.in_place_of) == ("en", "nl")
    assert language.say("Next: {step}") == "Next: {step}"


def test_reports_a_missing_catalogue(tmp_path: Path) -> None:
    for name in ("wizard", "templates", "docs"):
        shutil.copytree(
            LOCALE.parents[1] / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__", "*.mo"),
        )
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "LANG": "nl_NL.UTF-8", "LC_ALL": ""}
    said = {}
    for call in ("explain LA108", "explain LA108 --json", "--help", "nonsense"):
        done = subprocess.run(
            [sys.executable, "-P", "-m", "wizard", *call.split()],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert done.returncode == (2 if call == "nonsense" else 0), done.stderr
        said[call] = done
    assert "Next:" in said["explain LA108"].stdout
    assert "The texts in the language nl cannot be read" in said["explain LA108"].stderr
    assert said["explain LA108 --json"].stderr == ""
    assert "Usage:" in said["--help"].stdout + said["--help"].stderr


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        ({}, "en"),
        ({"LANG": "nl_NL.UTF-8"}, "nl"),
        ({"LANG": "nl"}, "nl"),
        ({"LANG": "nl_BE@euro"}, "nl"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "POSIX", "LANGUAGE": "nl"}, "en"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "de_DE.UTF-8", "LANGUAGE": "de:nl:en"}, "nl"),
        ({"LANG": "nl_NL.UTF-8", "LANGUAGE": "en"}, "en"),
        ({"LANG": "nl_NL.UTF-8", "LC_ALL": "C"}, "en"),
        ({"LANG": "en_US.UTF-8", "LC_MESSAGES": "nl_NL.UTF-8"}, "nl"),
        ({"LANG": "nl_NL.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LANG": "nlx_NL.UTF-8"}, "en"),
        ({"LANG": "../../nl"}, "en"),
        ({"LANG": "/tmp/nl"}, "en"),
        ({"LANG": "nl\udcff"}, "en"),
        ({"LANG": "nl_NL.UTF-8", "LANGUAGE": "../nl:\x1b[31m:/etc/passwd"}, "en"),
        ({"LANG": "nl_NL.UTF-8", "LANGUAGE": ":" * 100_000 + "nl"}, "nl"),
        ({"LANG": "x" * 100_000}, "en"),
    ],
)
def test_the_locale_chooses(environ: dict[str, str], name: str) -> None:
    assert language_name("", environ, lambda: "") == name


def test_the_option_comes_first_and_the_system_last() -> None:
    assert language_name("en", {"LANG": "nl_NL.UTF-8"}, lambda: "nl_NL") == "en"
    assert language_name("", {}, lambda: "nl_NL") == "nl"
    assert language_name("", {"LANG": "en_US.UTF-8"}, lambda: "nl_NL") == "en"


def run(*args: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG"))
    }
    return subprocess.run(
        [PROGRAM, *args],
        cwd=cwd,
        env={**kept, "PYTHONUTF8": "1", **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    ("args", "environ"),
    [
        (("--lang", "nl", "explain", "LA108"), {}),
        (("explain", "LA108", "--lang=nl"), {}),
        (("explain", "LA108"), {"LANG": "nl_NL.UTF-8"}),
        (("explain", "LA108"), {"LIBRECHAT_AUTH0_LANG": "nl"}),
    ],
)
def test_the_program_speaks_dutch(
    tmp_path: Path, args: tuple[str, ...], environ: dict[str, str]
) -> None:
    done = run(*args, cwd=tmp_path, **environ)

    assert done.returncode == 0
    assert "Volgende stap:" in done.stdout
    assert "Next:" not in done.stdout


def test_machine_readable_output_stays_english(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("OPENID_ISSUER=dev-abc.us.auth0.com\n")

    english = run("doctor", "--offline", "--json", cwd=tmp_path, LANG="en_US.UTF-8")
    dutch = run("doctor", "--offline", "--json", cwd=tmp_path, LANG="nl_NL.UTF-8")

    assert english.returncode == dutch.returncode == 1
    assert english.stdout == dutch.stdout
    assert run("doctor", "--offline", cwd=tmp_path, LANG="nl_NL.UTF-8").stderr != ""


def test_an_unknown_language(tmp_path: Path) -> None:
    for args, environ in (
        (("explain", "--lang", "xx"), {}),
        (("--lang", "xx", "explain"), {}),
        (("explain",), {"LIBRECHAT_AUTH0_LANG": "xx"}),
    ):
        done = run(*args, cwd=tmp_path, **environ)
        assert done.returncode == 2
        assert "xx is not one of en, nl" in done.stderr
