"""Complete screens of real runs, stored in tests/golden for review.

The folder's name always has the same length, so that lines wrap at the same places; what differs
between runs is replaced by the same number of characters.
"""

from __future__ import annotations

import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from dotenv import dotenv_values

from tests.e2e.installed import install_auth0_cli
from tests.e2e.terminal import CTRL_C, PLAIN, PROGRAM, Choose, Terminal
from tests.librechat.example import env_example
from tests.management_stand_in import Managed
from tests.ports import free_port
from tests.providers import PUBLIC_URL, Authority, Demo
from wizard.language import Message, user_language
from wizard.system.private_files import file_name

GOLDEN = Path(__file__).parents[1] / "golden"
SHOWN = Path("/tmp/golden")
APPLICATION = "abcdefghijklmnopqrstuvwxyz012345"


@dataclass
class Place:
    """A user's machine with LibreChat, and the tenant."""

    folder: Path
    demo: Demo
    managed: Managed
    authority: Authority
    chance: list[tuple[str, str]] = field(default_factory=list)

    @property
    def checkout(self) -> Path:
        return self.folder / "LibreChat"

    @property
    def environ(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),
            "XDG_STATE_HOME": str(self.folder),
            "XDG_DATA_HOME": str(self.folder / "data"),
            "XDG_CONFIG_HOME": str(self.folder / "config"),
            "PATH": str(self.folder / "bin"),
            "SSL_CERT_FILE": str(self.authority.ca),
            "NO_COLOR": "1",
            "REMOTE_CONTAINERS": "true",
            **dict.fromkeys(("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "SSH_CONNECTION"), ""),
        }

    def install(self, name: str, status: int) -> None:
        """Install a program that does nothing and exits with this status."""
        program = self.folder / "bin" / name
        program.write_text(f"#!/bin/sh\nexit {status}\n")
        program.chmod(0o755)

    def write(self, **values: str) -> None:
        env_file = self.checkout / ".env"
        env_file.write_text("".join(f"{k}={v}\n" for k, v in values.items()))
        env_file.chmod(0o644)

    def normal(self, text: str) -> str:
        """Replace what differs between runs, even where it is wrapped."""
        domain, auth0 = self.demo.tenant.domain, self.demo.setup
        for value, shown in (
            (auth0.client_id, APPLICATION),
            (domain.rpartition(":")[2], "50443"),
            (file_name(self.checkout / ".env"), file_name(SHOWN / "LibreChat/.env")),
            (str(self.folder), str(SHOWN)),
            *self.chance,
        ):
            wrapped = r"(\n *)?".join(map(re.escape, value))
            text = re.sub(wrapped, partial(_in_form, shown=shown), text)
        text = re.sub(r"[\u2800-\u28ff](?= )", "\u280b", text)  # a spinner
        stamp = r"(?:\d\s*){8}T(?:\s*\d){6}\.(?:\s*\d){6}\s*Z"
        text = re.sub(rf"{stamp}\s*-(?:\s*[0-9a-f]){{16}}", _zeros, text)
        text = re.sub(r"\b\d{4}-\d\d-\d\d\s+\d\d:\d\d\b", _zeros, text)
        text = re.sub(r"\b\d\d:\d\d:\d\d\b|\b\d+(?= ms\b)", _zeros, text)
        text = re.sub(r"\b(for|al) \d+ s\b", r"\1 0 s", text)
        text = re.sub(r"\b(process|proces) \d+", r"\1 12345", text)
        taken = r"(! |\w+: )(Port|Poort) 3443\b.*?--local-port\)\.\n"  # from another test
        text = re.sub(taken, "", text, flags=re.DOTALL)
        text = re.sub(r"(?<=\?key=)[\w-]{22}", "0" * 22, text)
        text = re.sub(r"(?<=Tracking ID:)\s+\w+", _zeros, text)
        return re.sub(r"(?<=librechat-auth0-)(?:[0-9a-f]\s*){16}", _zeros, text)


def _in_form(found: re.Match[str], shown: str) -> str:
    """Return the characters of `shown`, wrapped like the match."""
    characters = iter(shown)
    return "".join(each if each in " \n" else next(characters) for each in found[0])


def _zeros(found: re.Match[str]) -> str:
    return re.sub(r"[0-9a-f]", "0", found[0])


@contextmanager
def place(demo: Demo, managed: Managed, authority: Authority) -> Iterator[Place]:
    """Create a folder for this run."""
    folder = SHOWN.with_name(secrets.token_hex(len(SHOWN.name) // 2))
    folder.mkdir(mode=0o700)
    try:
        made = Place(folder, demo, managed, authority)
        (folder / "bin").mkdir()
        made.checkout.mkdir()
        (made.checkout / "package.json").write_text('{"name": "LibreChat", "version": "v0.8.8"}')
        (made.checkout / ".env.example").write_text(env_example())
        yield made
    finally:
        shutil.rmtree(folder)


Answer = str | Choose | None


def said_without_a_terminal(at: Place, args: Sequence[str]) -> str:
    """Return the output of a run without a terminal."""
    done = subprocess.run(
        [PROGRAM, *args],
        cwd=at.checkout,
        env={**at.environ, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return _file(at, args, done.stdout + done.stderr, done.returncode)


def _file(at: Place, args: Sequence[str], text: str, code: int) -> str:
    shown = "\n".join(line.rstrip() for line in at.normal(text).splitlines()).strip("\n")
    return f"$ librechat-auth0 {at.normal(' '.join(args))}\n{shown}\n[exit code {code}]\n"


@dataclass(frozen=True)
class Seen:
    """The terminal's width, the language, and whether anything is drawn."""

    columns: int = 80
    lang: str = "en"
    plain: bool = False

    def say(self, text: str) -> str:
        return user_language(self.lang, {}).say(text)

    def screen(
        self,
        at: Place,
        *args: str,
        answers: Sequence[tuple[str, Answer]] = (),
        until: str = "",
    ) -> str:
        """Return the final screen; wait for `until`, then press Ctrl-C."""
        spoken = ("--lang", self.lang) if self.lang != "en" else ()
        command = (*args, *spoken)
        environ = {**at.environ, **(PLAIN if self.plain else {})}
        terminal = Terminal(
            *command, cwd=at.checkout, columns=self.columns, rows=90, environ=environ
        )
        with terminal:
            for question, answer in answers:
                terminal.answer(question, answer)
            if until:
                terminal.until(until)
                terminal.type(CTRL_C)
            code = terminal.end(60)
            return _file(at, command, terminal.text, code)

    def frames(
        self, at: Place, *args: str, answers: Sequence[tuple[str, Answer]], until: str = ""
    ) -> str:
        """Return a screen of 24 lines at each question, and at the end.

        After the last question, wait for `until`, then press Ctrl-C.
        """
        spoken = ("--lang", self.lang) if self.lang != "en" else ()
        command = (*args, *spoken)
        environ = {**at.environ, **(PLAIN if self.plain else {})}
        seen = []
        with Terminal(
            *command, cwd=at.checkout, environ=environ, columns=self.columns, rows=24
        ) as terminal:
            for number, (question, answer) in enumerate(answers):
                before = sum(asked == question for asked, _ in answers[:number])
                if not self.plain:
                    terminal.until(f"? {question}", times=1 + before)
                terminal.until_asked(question)
                terminal.settle()
                seen.append("\n".join(terminal.screen.display))
                terminal.answer(question, answer)
            if until:
                terminal.until(until)
                seen.append("\n".join(terminal.screen.display))
                terminal.type(CTRL_C)
            code = terminal.end(60)
            seen.append("\n".join(terminal.screen.display))
        frames = ["\n".join(line.rstrip() for line in each.splitlines()) for each in seen]
        ruled = f"\n{'=' * self.columns}\n".join(each.strip("\n") for each in frames)
        return _file(at, command, ruled, code)


def init(at: Place, seen: Seen) -> str:
    """`init` from first to last, with the values from the dashboard."""
    waiting = seen.say("Waiting for the sign-in")
    write = (seen.say("Write these changes?"), None)
    return seen.screen(at, *_init(at), answers=[*_values(at, seen), write], until=waiting)


def tunnels(at: Place, seen: Seen) -> str:
    """The menu of tunnels on a terminal of 24 lines, and the details of its first choice."""
    question = seen.say("Which HTTPS URL should LibreChat have?")
    spoken = ("--lang", seen.lang) if seen.lang != "en" else ()
    environ = {**at.environ, **(PLAIN if seen.plain else {})}
    terminal = Terminal(
        "init", *spoken, cwd=at.checkout, columns=seen.columns, rows=24, environ=environ
    )
    with terminal:
        terminal.until_asked(question)
        terminal.until(seen.say("my own HTTPS URL"))
        terminal.type("?\r" if seen.plain else "?")
        terminal.until(seen.say("Built in; enough to sign in with your own browser."))
        terminal.until_asked(seen.say("Number") if seen.plain else question)
        terminal.settle()  # the menu is redrawn below the details
        shown = "\n".join(terminal.screen.display)
        terminal.type(CTRL_C)
        return _file(at, ("init", *spoken), shown, terminal.end())


def init_by_cli(at: Place, seen: Seen) -> str:
    """`init` with a signed-in auth0 CLI: one plan, one question, and everything is set up."""
    at.managed.tenant.clock = time.time
    install_auth0_cli(at.folder / "bin", at.folder / ".config", at.managed)
    agree = (seen.say("Make these changes in Auth0 and the .env?"), None)
    arguments, waiting = _init(at), seen.say("Waiting for the sign-in")
    shown = seen.frames(at, *arguments, answers=[*_values(at, seen)[:2], agree], until=waiting)
    client_id = dotenv_values(at.checkout / ".env")["OPENID_CLIENT_ID"] or ""
    for value, normal in ((client_id, APPLICATION), (at.managed.domain, "localhost:50443")):
        at.chance.append((value, normal))
    return at.normal(shown)


def init_again(at: Place, seen: Seen) -> str:
    """`init` after a finished setup."""
    auth0, arguments = at.demo.setup, _init(at)
    done = subprocess.run(
        [
            *(PROGRAM, *arguments, "--yes", "--public-url", PUBLIC_URL, "--domain", auth0.domain),
            *("--client-id", auth0.client_id, "--audience", auth0.audience or ""),
        ],
        cwd=at.checkout,
        env={**at.environ, "AUTH0_CLIENT_SECRET": at.demo.secret},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return seen.frames(at, "init", answers=[(seen.say("What now?"), Choose(seen.say("Quit")))])


def init_that_fails(at: Place, seen: Seen) -> str:
    """`init` when the dashboard lacks the callback URL and the API."""
    _break(at)
    stop = (seen.say("What now?"), Choose(seen.say("Stop")))
    return seen.screen(at, *_init(at), answers=[*_values(at, seen), *_items(seen), stop])


def init_by_steps(at: Place, seen: Seen) -> str:
    """`init` on a small screen, with one wrong answer to each question."""
    _break(at)
    how, domain, client_id, secret = _values(at, seen)[2:]
    answers = [
        *_values(at, seen)[:2],
        how,
        (domain[0], "http://dev-abc.us.auth0.com"),
        (domain[0], "localhost:9"),
        domain,
        (client_id[0], "n" * 32),
        client_id,
        (secret[0], "s" * 64),
        secret,
        *_items(seen),
        (seen.say("What now?"), Choose(seen.say("Stop"))),
    ]
    return seen.frames(at, *_init(at), answers=answers)


def who(at: Place, seen: Seen) -> str:
    """`init` that asks only who may sign in, and lists what to change by hand."""
    auth0, (secret, port) = at.demo.setup, (at.folder / "secret", str(free_port()))
    secret.write_text(auth0.client_secret or "")
    at.chance.append((port, "53080"))
    ask = Message("Make {address} the administrator?", address="ada@example.com")
    return seen.screen(
        at,
        *("init", "--port", port, "--public-url", PUBLIC_URL, "--domain", auth0.domain),
        *("--client-id", auth0.client_id, "--client-secret-file", str(secret)),
        *("--audience", auth0.audience or ""),
        answers=[
            (seen.say("Who may sign in?"), None),
            (
                seen.say("Their email addresses, separated by commas"),
                "ada@example.com, bob@example.com",
            ),
            (seen.say(ask), None),
            (seen.say("Write these changes?"), None),
            (seen.say("Limit who can sign in through Auth0"), None),
        ],
        until=seen.say("Waiting for the sign-in"),
    )


def _init(at: Place) -> tuple[str, ...]:
    """`init` for a LibreChat on a free port."""
    port = str(free_port())
    at.chance.append((port, "53080"))
    return ("init", "--allow-anybody", "--port", port)


def _break(at: Place) -> None:
    at.demo.application.callbacks = [f"{PUBLIC_URL}/callback"]
    at.demo.tenant.apis.clear()


def _values(at: Place, seen: Seen) -> list[tuple[str, Answer]]:
    auth0 = at.demo.setup
    return [
        (seen.say("Which HTTPS URL should LibreChat have?"), Choose(seen.say("my own HTTPS URL"))),
        (seen.say("Public URL of LibreChat"), PUBLIC_URL),
        (seen.say("How do you want to set up Auth0?"), None),
        (seen.say("Domain"), auth0.domain),
        (seen.say("Client ID"), auth0.client_id),
        (seen.say("Client Secret (hidden)"), auth0.client_secret or ""),
    ]


def _items(seen: Seen) -> list[tuple[str, Answer]]:
    """Return the checklist's items; the user does not add the URLs."""
    done, anyway = (Choose(seen.say(each)) for each in ("Done, continue", "Continue anyway"))
    urls = seen.say("Its URLs")
    return [(urls, done), (urls, anyway), (seen.say("The API"), done)]


def _faulty(at: Place) -> None:
    at.write(
        DOMAIN_CLIENT="http://localhost:3080",
        DOMAIN_SERVER="http://localhost:3080",
        OPENID_ISSUER="https://dev-abc123.us.auth0.com/",
        OPENID_CLIENT_ID="abcdefghijklmnopqrstuvwxyz012345",
        OPENID_CLIENT_SECRET="'a secret that is long enough to be one'",
        OPENID_SCOPE="openid",
        OPENID_SESSION_SECRET="short",
        OPENID_CALLBACK_URL="/oauth/callback",
    )


def doctor(at: Place, seen: Seen) -> str:
    """`doctor` on an `.env` with many faults."""
    _faulty(at)
    offer = (seen.say(Message("Fix {count} of these now?", count=4)), "n")
    return seen.screen(at, "doctor", "--offline", answers=[offer])


def doctor_verbose(at: Place, seen: Seen) -> str:
    """`doctor --verbose`, with every finding in full."""
    _faulty(at)
    offer = (seen.say(Message("Fix {count} of these now?", count=4)), "n")
    return seen.screen(at, "doctor", "--offline", "--verbose", answers=[offer])


def doctor_fix(at: Place, seen: Seen) -> str:
    """`doctor --fix`, which writes its changes."""
    _faulty(at)
    write = (seen.say("Write these changes?"), None)
    return seen.screen(at, "doctor", "--fix", "--offline", answers=[write])


def tunnel(at: Place, seen: Seen) -> str:
    """`tunnel` with another spelling of the URL, and LibreChat not running."""
    port = str(free_port())
    at.chance.append((port, "53443"))
    url = f"https://localhost:{port}/"
    at.write(PORT="3999", DOMAIN_CLIENT=url, DOMAIN_SERVER=url)
    silence = Message(
        "LibreChat does not respond on port {port}. Start it; visitors see an error until then.",
        port=3999,
    )
    write = (seen.say("Write these changes?"), None)
    return seen.screen(at, "tunnel", answers=[write], until=seen.say(silence))


def tunnel_status(at: Place, seen: Seen) -> str:
    """`tunnel --status` with one background tunnel."""
    port = str(free_port())
    at.chance.append((port, "53443"))
    url = f"https://localhost:{port}"
    at.write(PORT="3999", DOMAIN_CLIENT=url, DOMAIN_SERVER=url, HSTS_ENABLED="false")
    Seen().screen(at, "tunnel", "--detach", "--yes")
    try:
        return seen.screen(at, "tunnel", "status")
    finally:
        Seen().screen(at, "tunnel", "stop")


def undo(at: Place, seen: Seen) -> str:
    """`init --undo` after a repair."""
    doctor_fix(at, Seen())
    question = seen.say(Message("Restore {file} as of {time}?", file="", time=""))
    return seen.screen(at, "init", "--undo", answers=[(question.split()[0], None)])


def trust(at: Place, seen: Seen) -> str:
    """The commands that `trust` would run."""
    at.install("certutil", 1)
    return seen.screen(at, "trust", "--dry-run")


def explain(at: Place, seen: Seen) -> str:
    """`explain` for one rule."""
    return seen.screen(at, "explain", "LA101")


WIDE, NARROW, READ = Seen(), Seen(40), Seen(plain=True)
DUTCH, NARROW_DUTCH = Seen(lang="nl"), Seen(40, "nl")
Screen = Callable[[Place], str]


def _screens(name: str, of: Callable[..., str], *seen: Seen) -> dict[str, Screen]:
    """Return the variants of a screen, by name."""
    return {
        f"{name}-{'plain' if each.plain else each.columns}-{each.lang}": partial(of, seen=each)
        for each in seen
    }


def _without_a_terminal(*args: str) -> Screen:
    return lambda at: said_without_a_terminal(at, args)


SCREENS: dict[str, Screen] = {
    **_screens("init", init, WIDE, NARROW, READ, DUTCH, NARROW_DUTCH),
    **_screens("tunnels", tunnels, WIDE, NARROW, READ, DUTCH, NARROW_DUTCH),
    **_screens("who", who, WIDE, NARROW, DUTCH, NARROW_DUTCH),
    **_screens("init-fails", init_that_fails, WIDE, NARROW, READ, DUTCH),
    **_screens("init-steps", init_by_steps, WIDE, NARROW, READ, DUTCH, NARROW_DUTCH),
    **_screens("init-cli", init_by_cli, WIDE, NARROW, READ, NARROW_DUTCH),
    **_screens("init-again", init_again, WIDE, READ, NARROW_DUTCH),
    **_screens("doctor", doctor, WIDE, NARROW, READ, DUTCH),
    **_screens("doctor-verbose", doctor_verbose, WIDE),
    **_screens("doctor-fix", doctor_fix, WIDE, NARROW, READ, DUTCH),
    **_screens("tunnel", tunnel, WIDE, NARROW, READ, DUTCH),
    **_screens("tunnel-status", tunnel_status, WIDE, DUTCH),
    **_screens("undo", undo, WIDE, NARROW),
    **_screens("trust", trust, WIDE, NARROW),
    **_screens(
        "explain", lambda at, seen: seen.screen(at, "explain", "LA101"), WIDE, NARROW, DUTCH
    ),
    "no-terminal-en": _without_a_terminal("init"),
    "no-terminal-nl": _without_a_terminal("init", "--lang", "nl"),
    "usage-en": _without_a_terminal("doctor", "--fxi"),
    "usage-nl": _without_a_terminal("--lang", "nl", "doctor", "--fxi"),
    "help-nl": _without_a_terminal("--lang", "nl", "--help"),
    "help-init-nl": _without_a_terminal("init", "--lang", "nl", "--help"),
}
