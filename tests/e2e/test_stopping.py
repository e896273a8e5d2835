"""Ctrl-C and Ctrl-D at every question of every command, drawn and plain.

Each conversation is played up to a question, the key is pressed, and everything must be as it
was: files, processes, the terminal itself.
"""

from __future__ import annotations

import shutil
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.marked import MARK, marked
from tests.e2e.program import clean_environ
from tests.e2e.terminal import CTRL_C, CTRL_D, PLAIN, Choose, Terminal
from tests.management_stand_in import Managed
from tests.ports import free_port
from tests.providers import AUDIENCE, PUBLIC_URL, Authority, Demo
from tests.tunnels.conftest import until
from wizard.known import Known
from wizard.librechat.env_store import EnvStore
from wizard.saved_answers import SavedAnswers
from wizard.system.processes import Processes
from wizard.tunnels.certificates import local_authority
from wizard.tunnels.trust import plan
from wizard.tunnels.trust import run as run_steps

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")

AT_ONCE = 4
STAND_INS = Path(__file__).parents[1] / "stand_ins"
TOKEN = "2abcDEFabcDEFabcDEFabcDEF_3abcDEFabcDEFabcDEF"
CHECKOUT = {
    "package.json": '{"name": "LibreChat", "version": "v0.8.8"}',
    ".env.example": "HOST=localhost\nPORT=3080\nOPENID_CLIENT_ID=\nOPENID_CLIENT_SECRET=\n",
}
OLD_URL = "https://old.ngrok-free.dev"


@dataclass
class Place:
    """The surroundings of one run; `tenant` is set up correctly, `managed` is empty."""

    tmp: Path
    demo: Demo
    managed: Managed
    environ: dict[str, str]
    cwd: Path = field(init=False)
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        self.cwd = self.checkout = self.tmp / "LibreChat"
        self.checkout.mkdir(parents=True)
        for name, text in CHECKOUT.items():
            (self.checkout / name).write_text(text)
        home = Path(self.environ["HOME"])
        self.environ["XDG_STATE_HOME"] = str(home / ".local/state")
        self.environ["XDG_DATA_HOME"] = str(home / ".local/share")
        self.environ["XDG_CONFIG_HOME"] = str(home / ".config")
        self.environ[MARK] = self.mark

    @property
    def env_file(self) -> Path:
        return self.checkout / ".env"

    @property
    def state_dir(self) -> Path:
        return Path(self.environ["XDG_STATE_HOME"]) / "librechat-auth0"

    def files(self) -> dict[str, bytes]:
        return {
            str(path.relative_to(self.checkout)): path.read_bytes()
            for path in self.checkout.rglob("*")
            if path.is_file()
        }


Answer = str | Choose | None | Callable[[Place], str]


@dataclass(frozen=True)
class Conversation:
    """A command and its questions in order.

    `known` is how many of the first questions other conversations cover. `said` is the final
    message, by question.
    """

    args: tuple[str, ...]
    questions: Sequence[tuple[str, Answer]]
    prepare: Callable[[Place], None] = lambda _: None
    known: int = 0
    message: str = ""
    message_at: dict[str, str] = field(default_factory=dict)
    written_at: tuple[str, ...] = ()


def values(domain: Answer, client_id: Answer, secret: Answer) -> list[tuple[str, Answer]]:
    return [
        ("Domain", domain),
        ("Client ID", client_id),
        ("Client Secret (hidden)", secret),
    ]


ITEMS = [("Its URLs", Choose("Done")), ("The API", Choose("Done"))]
ANY = values("dev-abc.us.auth0.com", "c" * 32, "a secret".replace(" ", "-") * 4)
RIGHT = values(
    lambda it: it.demo.setup.domain,
    lambda it: it.demo.setup.client_id,
    lambda it: it.demo.secret,
)


def elsewhere(place: Place) -> None:
    """Prepare a folder without LibreChat, after an interrupted run."""
    SavedAnswers(place.state_dir, place.env_file).keep(Known(domain="dev-old.us.auth0.com"))
    place.cwd = place.tmp / "elsewhere"
    place.cwd.mkdir()


def with_ngrok(place: Place) -> None:
    program = place.tmp / "bin/ngrok"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{STAND_INS / "ngrok.py"}" "$@"\n')
    program.chmod(0o755)
    state = place.tmp / "ngrok-service"
    state.mkdir()
    place.environ["PATH"] = f"{program.parent}:{place.environ['PATH']}"
    place.environ["STAND_IN_STATE"] = str(state)


def with_url(place: Place) -> None:
    """Prepare a local tunnel URL that is not quite what LibreChat needs."""
    url = f"https://localhost:{free_port()}/"
    place.env_file.write_text(f"PORT={free_port()}\nDOMAIN_CLIENT={url}\nDOMAIN_SERVER={url}\n")


def with_tenant(place: Place) -> None:
    """Prepare a finished LibreChat, and a credential to change the tenant."""
    with_url(place)
    managed = place.managed
    place.environ["AUTH0_MANAGEMENT_CLIENT_ID"] = managed.machine.client_id
    place.environ["AUTH0_MANAGEMENT_CLIENT_SECRET"] = managed.machine.client_secret
    place.environ["AUTH0_TENANT_DOMAIN"] = managed.domain
    with place.env_file.open("a") as file:
        file.write(
            f"OPENID_ISSUER=https://{managed.domain}\nOPENID_CLIENT_ID={managed.machine.client_id}\n"
            f"OPENID_CLIENT_SECRET={managed.machine.client_secret}\nOPENID_AUDIENCE={AUDIENCE}\n"
        )


def with_backup(place: Place) -> None:
    store = EnvStore(place.env_file, place.state_dir)
    store.save(None, b"OLD=1\n")
    store.save(b"OLD=1\n", b"NEW=1\n")


def with_faults(place: Place) -> None:
    place.env_file.write_text("OPENID_ISSUER=https://dev-abc.us.auth0.com/\nOPENID_SCOPE=openid\n")


def with_browser_store(place: Place) -> None:
    """Prepare a machine whose only trust store is the user's own."""
    programs = place.tmp / "bin"
    programs.mkdir()
    for name in ("certutil", "mkdir"):
        (programs / name).symlink_to(str(shutil.which(name)))
    place.environ["PATH"] = str(programs)


def trusted(place: Place) -> None:
    """Trust the wizard's authority in the user's own NSS database only."""
    processes = Processes()
    (Path(place.environ["HOME"]) / ".pki/nssdb").mkdir(parents=True)
    ca_file = local_authority(place.state_dir, processes).ca_file
    steps = plan(ca_file, processes, place.environ, sys.platform, trust=True)
    assert not run_steps([it for it in steps if "nssdb" in it.store], processes)


CONVERSATIONS = {
    "init": Conversation(
        ("init", "--allow-anybody", "--offline"),
        [
            ("LibreChat folder", "../LibreChat"),
            ("Resume it?", "n"),
            ("Which HTTPS URL", Choose("my own HTTPS URL")),
            ("Public URL of LibreChat", PUBLIC_URL),
            *ANY,
            *ITEMS,
            ("Write these changes?", None),
        ],
        elsewhere,
        message="Nothing was changed.",
        message_at={"LibreChat folder": ""},
    ),
    "init with ngrok": Conversation(
        ("init", "--allow-anybody", "--offline"),
        [
            ("Which HTTPS URL", Choose("ngrok")),
            ("ngrok authtoken (hidden)", TOKEN),
            ("Save it in ngrok's own configuration", None),
            ("Domain", None),
        ],
        with_ngrok,
        known=1,
        message="Nothing was changed.",
        message_at={"Domain": "The .env was not written."},
    ),
    "init that trusts": Conversation(
        ("init", "--allow-anybody", "--offline", "--tunnel", "local"),
        [("Run them", None), ("Domain", None)],
        with_browser_store,
        message="Nothing was changed.",
        message_at={
            "Domain": "was added to the trust stores; librechat-auth0 trust"
            " --remove removes it. The .env was not written."
        },
    ),
    "init that fails": Conversation(
        ("init", "--allow-anybody", "--public-url", PUBLIC_URL),
        [
            ("How do you want to set up Auth0?", None),
            ("Domain", "localhost:9"),
            ("Domain", None),
            ("Client ID", "c" * 32),
            ("Client Secret (hidden)", "s" * 32),
            *ITEMS,
            ("What now?", Choose("Change only")),
            ("Domain", None),
        ],
        known=7,
        message="Nothing was changed.",
    ),
    "init to the sign-in": Conversation(
        ("init", "--allow-anybody", "--public-url", PUBLIC_URL),
        [
            ("How do you want to set up Auth0?", None),
            *RIGHT,
            ("Write these changes?", None),
        ],
        known=4,
        message="Nothing was changed.",
    ),
    "init by the Management API": Conversation(
        ("init", "--allow-anybody", "--public-url", PUBLIC_URL),
        [
            ("How do you want to set up Auth0?", Choose("a token")),
            ("Management API token (hidden)", lambda it: it.managed.token()),
            ("Make these changes in Auth0 and the .env?", None),
        ],
        known=1,
        message="Nothing was changed.",
    ),
    "provision": Conversation(
        ("provision",),
        [
            ("Domain", lambda it: it.managed.domain),
            ("Public URL of LibreChat", PUBLIC_URL),
            ("Use the Management API with", Choose("a machine-to-machine application")),
            ("Its Client ID", lambda it: it.managed.machine.client_id),
            ("Its Client Secret (hidden)", lambda it: it.managed.machine.client_secret),
            ("The tenant's own domain", lambda it: it.managed.domain),
            ("Make these changes?", None),
        ],
    ),
    "tunnel": Conversation(
        ("tunnel",),
        [("Write these changes?", None), ("Change the URLs in Auth0?", None)],
        with_tenant,
        written_at=("Change the URLs in Auth0?",),
    ),
    "tunnel into the background": Conversation(
        ("tunnel", "--detach"), [("Write these changes?", None)], with_url
    ),
    "trust": Conversation(("trust",), [("Run these commands?", None)]),
    "trust --remove": Conversation(("trust", "--remove"), [("Run these commands?", None)], trusted),
    "undo": Conversation(("init", "--undo"), [("Restore", None)], with_backup),
    "doctor --fix": Conversation(
        ("doctor", "--fix", "--offline"), [("Write these changes?", None)], with_faults
    ),
}


@pytest.mark.needs("certutil")
@pytest.mark.parametrize("mode", [{}, PLAIN], ids=["drawn", "plain"])
@pytest.mark.parametrize("name", CONVERSATIONS)
def test_stopping_at_any_question_changes_nothing(
    name: str,
    mode: dict[str, str],
    tmp_path: Path,
    authority: Authority,
    demo: Demo,
    managed: Managed,
) -> None:
    conversation = CONVERSATIONS[name]
    managed.tenant.clock = time.time
    managed.token()  # from now on the machine application may use the Management API
    applications = len(managed.tenant.applications)
    runs = [
        (number, key)
        for number in range(conversation.known, len(conversation.questions))
        for key in (CTRL_C, CTRL_D)
    ]

    def stop(run: tuple[int, str]) -> None:
        number, key = run
        tmp = tmp_path / f"{number}-{ord(key)}"
        environ = {**clean_environ(tmp / "home", authority.ca), "NO_COLOR": "1", **mode}
        place = Place(tmp, demo, managed, environ)
        conversation.prepare(place)
        stop_at(conversation, place, number, key)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(stop, runs))
    assert len(managed.tenant.applications) == applications


def stop_at(conversation: Conversation, place: Place, number: int, key: str) -> None:
    """Play the conversation to this question, press the key, and check what is left."""
    question = conversation.questions[number][0]
    where = f"{question!r}, {'Ctrl-C' if key == CTRL_C else 'Ctrl-D'}"
    before = place.files()
    with Terminal(*conversation.args, cwd=place.cwd, environ=place.environ) as terminal:
        for asked, answer in conversation.questions[:number]:
            terminal.answer(asked, answer(place) if callable(answer) else answer)
        terminal.until_asked(question)
        if question not in conversation.written_at:
            assert place.files() == before, where
        else:
            before = place.files()
        terminal.type(key)

        assert terminal.end() == 130, f"{where}:\n{terminal.text}"
        said = [line for line in terminal.text.splitlines() if line]
        assert said[-1] == "  Next: Run the same command again to continue.", f"{where}:\n{said}"
        message = conversation.message_at.get(question, conversation.message)
        _, stopped, told = terminal.text.partition("Stopped (LA002)")
        assert stopped
        assert message in " ".join(told.split()), f"{where}:\n{said}"
        assert "Traceback" not in terminal.text
        assert terminal.is_as_before, where
        assert ("\x1b" in terminal.raw) != bool(place.environ.get("LIBRECHAT_AUTH0_PLAIN"))
    assert place.files() == before, where
    assert until(lambda: not marked(place.mark)), f"{where}: {marked(place.mark)}"
