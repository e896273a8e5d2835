"""The documents are true: commands run, links resolve, tables match the code."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.picture import PATH, described, play, words
from tests.e2e.program import PROGRAM, Ran, clean_environ, run
from tests.librechat.example import env_example
from tests.management_stand_in import SCOPES
from tests.providers import AUDIENCE, PUBLIC_URL, Authority, Demo, authority, demo, demo_server
from tools.documents import pages
from tools.documents.command_line import commands
from wizard.cli import program
from wizard.commands.provision import ProvisionResult
from wizard.commands.tunnel import TunnelResult
from wizard.commands.tunnel_status import BackgroundResult
from wizard.defaults import TUNNELS
from wizard.execution import Result
from wizard.findings import ExitCode
from wizard.rules import all_rules
from wizard.settings import Settings
from wizard.steps.trust_stores import TrustResult
from wizard.tunnels import provider

__all__ = ["authority", "demo", "demo_server"]

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
GUIDE = "\n".join(
    [
        README,
        *(
            (ROOT / f"docs/{name}.md").read_text("utf-8")
            for name in ("scripting", "provision", "files", "platforms")
        ),
    ]
)
DUTCH_README = (ROOT / "README.nl.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "benchmarks/README.md"])
ENVELOPE = {"ok", "command", "findings"}

# Lines of the guide that do not run here, by their first words, and why.
NOT_RUN = {
    "python3 -m venv": "installs from the registry; .ci/run runs the tests so, and"
    " tests/commands/test_demo.py the demo",
    "pip": "install into the user's environment; tests/test_packaging.py runs them in another",
    "uv": "the same",
}
# Lines of which only the options are checked, and why.
PARSED = {
    "librechat-auth0 init": "asks in a terminal; tests/e2e/test_init_terminal.py answers",
    "librechat-auth0 doctor --fix --yes --json": "needs the .env that a later line writes",
    "librechat-auth0 trust --remove --yes": "may change the system's trust store",
}


def guide_lines() -> Iterator[str]:
    """Return the command lines in the guide's blocks, joined and without comments."""
    for block in re.findall(r"^```sh\n(.*?)^```", GUIDE, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            yield " ".join(line.partition(" # ")[0].split())


def table(heading: str, text: str = GUIDE) -> list[list[str]]:
    """Return the rows of the table with that first heading, without code marks."""
    lines = text[text.index(f"| {heading} |") :].partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def parse(line: str) -> None:
    """Parse a command line without running it."""
    given = shlex.split(line)[1:]
    place = next((i for i, word in enumerate(given) if word.startswith("-")), len(given))
    command = program()
    line_with_help = [*given[:place], "--help", *given[place:]]
    command.main(line_with_help, prog_name="librechat-auth0", standalone_mode=False)


@pytest.mark.parametrize("name", pages())
def test_a_page_matches_the_code(name: str) -> None:
    fresh = pages()[name]

    assert (ROOT / "docs" / name).read_text("utf-8") == fresh, "run: python -m tools.documents"


def test_the_pages_list_every_option() -> None:
    page = (ROOT / "docs/cli.md").read_text("utf-8")
    manual = (ROOT / "docs/librechat-auth0.1").read_text("utf-8").replace("\\-", "-")

    for command in commands():
        for entry in command.entries:
            assert f"`{entry.names}`" in page.replace("\\|", "|")
            assert f".B {entry.names}\n" in manual


@pytest.mark.needs("groff")
def test_the_manual_page_is_valid() -> None:
    done = subprocess.run(
        ["groff", "-man", "-ww", "-Kutf8", "-Tutf8", "-z", ROOT / "docs/librechat-auth0.1"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""


@pytest.mark.needs("bash")
def test_a_shell_completes_commands_and_options() -> None:
    def completed(*typed: str) -> list[str]:
        script = (
            'eval "$(librechat-auth0 --show-completion)"\n'
            f"COMP_WORDS=({shlex.join(typed)}) COMP_CWORD={len(typed) - 1}\n"
            "_librechat_auth0_completion librechat-auth0\n"
            'printf "%s\\n" "${COMPREPLY[@]}"'
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env={**os.environ, "PATH": f"{Path(PROGRAM).parent}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()

    assert completed("librechat-auth0", "pro") == ["provision"]
    assert completed("librechat-auth0", "tunnel", "st") == ["status", "stop"]
    assert completed("librechat-auth0", "init", "--dom") == ["--domain"]
    assert completed("librechat-auth0", "tunnel", "--tunnel", "c") == ["caddy", "cloudflared"]
    assert completed("librechat-auth0", "--lang", "n") == ["nl"]
    assert completed("librechat-auth0", "explain", "LA10")[:2] == ["LA100", "LA101"]


@pytest.mark.needs("chromium")
@pytest.mark.skipif(os.name != "posix", reason="a terminal of POSIX's")
def test_the_picture_matches_a_run(tmp_path: Path) -> None:
    """Answer the questions and sign in with Chromium."""
    shown = play(tmp_path, columns=200)

    assert "The sign-in works" in shown.page
    assert words(described(PATH.read_text("utf-8"))) == words(shown.text), (
        "run: python -m tests.e2e.picture"
    )


def test_the_picture_loads_nothing_from_other_servers() -> None:
    picture = PATH.read_text("utf-8")

    assert not re.search(r"@import|url\(\s*['\"]?http|href=(?!\"data:image/png)", picture)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_resolve(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]
    for target in targets:
        path, _, heading = target.partition("#")
        if "://" in target:
            continue
        file = document.parent / path if path else document
        assert file.exists(), f"{document.name}: {target}"
        if heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text("utf-8"), re.MULTILINE)
            assert heading in {title.lower().replace(" ", "-") for title in titles}, target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_a_document_parses(document: Path) -> None:
    for line in re.findall(r"`(librechat-auth0 [^`]+)`", document.read_text("utf-8")):
        parse(line)


def test_every_command_in_a_rule_parses() -> None:
    """A command in a sentence ends at the first word that is no command or option."""
    words = {word for command in commands() for word in command.name.split()}
    known = "|".join([*words, *TUNNELS, "--[a-z-]+", "[A-Z]+[0-9]*"])
    advice = re.compile(rf"librechat-auth0(?: (?:{known})\b)+")
    found = {line for rule in all_rules().values() for line in advice.findall(rule.fix)}

    assert len(found) > 5
    for line in found:
        parse(line)


def test_rejects_an_unknown_option() -> None:
    with pytest.raises(Exception, match="No such option"):
        parse("librechat-auth0 init --no-such-option")


class Folder:
    """A LibreChat folder and the demo tenant, for the README's commands."""

    def __init__(self, tmp: Path, demo: Demo, authority: Authority) -> None:
        self.path = tmp / "LibreChat"
        self.path.mkdir()
        self.demo = demo
        (self.path / ".env.example").write_text(env_example())
        (self.path / "secret.txt").write_text(demo.secret)
        self.environ = clean_environ(tmp / "user", authority.ca)
        self.environ["PATH"] = f"{Path(PROGRAM).parent}:{os.environ['PATH']}"

    def shell(self, line: str) -> Ran:
        """Run a line of the README with the tenant's values instead of its examples."""
        auth0 = self.demo.setup
        for example, value in {
            "dev-abc123.us.auth0.com": auth0.domain,
            "YOUR_CLIENT_ID": auth0.client_id,
            "https://api.librechat.ai": AUDIENCE,
            "https://chat.example.com": PUBLIC_URL,
        }.items():
            line = line.replace(example, value)
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.path,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def json(self, *words: str) -> set[str]:
        """Return the keys that the command prints, without the envelope's."""
        said = run(*words, "--json", cwd=self.path, environ=self.environ).json
        assert said.keys() >= ENVELOPE
        return set(said) - ENVELOPE


@pytest.fixture
def folder(tmp_path: Path, demo: Demo, authority: Authority) -> Folder:
    return Folder(tmp_path, demo, authority)


@pytest.mark.needs("bash")
def test_the_commands_of_the_guide_run(folder: Folder) -> None:
    ran = []
    for line in guide_lines():
        if line in PARSED:
            parse(line)
        elif not line.startswith(tuple(NOT_RUN)):
            done = folder.shell(line)
            # LibreChat is not running, and the public URL does not respond.
            expected = {ExitCode.OK, ExitCode.FINDINGS} if " doctor " in line else {ExitCode.OK}
            assert done.code in expected, f"{line}\n{done.err}"
            ran.append(line.split()[1])

    assert ran == ["init", "doctor", "doctor", "init", "tunnel"]
    assert not (folder.path / ".env").exists(), "init --undo removed it"


def test_the_readme_starts_with_the_two_setup_commands() -> None:
    first, second, *_ = guide_lines()

    assert first.endswith("&& .venv/bin/librechat-auth0 init --demo")
    assert second.endswith("uv run --locked pytest")
    assert README.count("uv run --locked pytest") == 1


def test_the_readme_is_short() -> None:
    assert len(README.split()) < 900
    assert README.index("<img") < README.index("```sh")


def test_every_command_is_in_the_table() -> None:
    named = {cells[0].split()[1] for cells in table("command")}

    assert named | {"help"} == {command.name.split()[0] for command in commands() if command.name}


def test_the_tunnels() -> None:
    rows = {cells[0]: cells for cells in table("tunnel")}

    assert sorted(rows) == sorted(TUNNELS)
    for name, (_, _, stable, public, _) in rows.items():
        kind = provider(name)
        assert (stable == "yes", public == "yes") == (kind.has_stable_url, kind.is_public), name


def test_the_scopes() -> None:
    paragraph = GUIDE[GUIDE.index("Scopes: ") :].partition("\n\n")[0]

    # A grant is never updated, only created.
    assert set(re.findall(r"`(\w+:\w+)`", paragraph)) == {*SCOPES} - {"update:client_grants"}


def test_the_keys_of_json(folder: Folder) -> None:
    rows = re.findall(r"^\| `([a-z `,-]+)` \| (`.*`.*) \|$", GUIDE, re.MULTILINE)
    documented = {
        name: set(re.findall(r"`(\w+)`", cell))
        for names, cell in rows
        for name in names.split("`, `")
        if name in JSON
    }
    settings = Settings("dev.us.auth0.com", "id", "secret", (), PUBLIC_URL)
    env_file = folder.path / ".env"
    (line,) = (line for line in guide_lines() if "--json" in line and " init " in line)
    printed = {"init": set(folder.shell(line).json) - ENVELOPE}
    env_file.write_text(re.sub("(CLIENT_SECRET)=.*", r"\1=wrong-secret", env_file.read_text()))
    printed |= {name: folder.json(name) for name in ("verify", "explain", "schema")}
    printed |= {name: folder.json(name, "--offline") for name in ("doctor", "report")}
    printed["init --undo"] = folder.json("init", "--undo", "--yes", "--force")
    results: dict[str, Result] = {
        "tunnel": TunnelResult(env_file, "local", PUBLIC_URL),
        "tunnel status": BackgroundResult(()),
        "tunnel stop": BackgroundResult(()),
        "provision": ProvisionResult(env_file, settings.client_id, (), ()),
        "trust": TrustResult(env_file, ()),
    }
    printed |= {name: set(result.as_json()) for name, result in results.items()}

    assert documented == printed


JSON = {command.name for command in commands()} | {"init --undo"}


def test_the_keys_of_a_finding() -> None:
    keys = next(iter(all_rules().values())).finding().as_json().keys()

    assert f"each with {', '.join(f'`{key}`' for key in keys)})" in GUIDE


def test_a_failed_command_has_the_envelope_only(tmp_path: Path) -> None:
    ran = run("doctor", "--json", cwd=tmp_path, environ=clean_environ(tmp_path / "user"))

    assert ran.code != 0
    assert set(ran.json) == ENVELOPE
    assert "prints only the first three keys" in GUIDE


# Cells that a language translates although they are compared, and links between the languages.
YES_OR_NO = {"yes": True, "ja": True, "no": False, "nee": False}
LANGUAGES = {"README.md", "README.nl.md"}


def lasting(text: str) -> Iterator[tuple[object, ...]]:
    """Return what a translation keeps in each line: marks, numbers, links, code in cells."""
    in_a_block = False
    for line in text.splitlines():
        if line.startswith("```"):
            in_a_block = not in_a_block
        elif in_a_block:
            yield (line.partition(" # ")[0].rstrip(),)
            continue
        cells = [cell.strip() for cell in line.split("|")]
        targets = re.findall(r"""(?:\]\(|src=")([^)"]+)""", line)
        yield (
            re.findall(r"^(?:#+|-|\d+\.|```.*)", line),
            sorted(re.findall(r"\d+", line)),
            [target for target in targets if target not in LANGUAGES],
            [sorted(re.findall(r"`[^`]+`", cell)) for cell in cells],
            [YES_OR_NO[cell] for cell in cells if cell in YES_OR_NO],
            line.count("**"),
        )


def test_the_dutch_readme_mirrors_the_english_one() -> None:
    pairs = zip(lasting(README), lasting(DUTCH_README), strict=True)
    for number, (english, dutch) in enumerate(pairs, 1):
        assert dutch == english, f"README.nl.md:{number}"


def test_every_sentence_of_the_dutch_readme_is_dutch() -> None:
    left = {*README.splitlines()} & {*DUTCH_README.splitlines()}

    assert not [line for line in left if re.search(r"\b(the|and|is|of)\b", line)]


def test_the_readmes_link_to_each_other() -> None:
    assert "[Nederlands](README.nl.md)" in README
    assert "[English](README.md)" in DUTCH_README
