"""Faults that were tried on a real LibreChat v0.8.7, each reported with its cause and fix.

LibreChat's responses and logs are as observed; the tenant is scripted, and `verify` uses only its
check of the tokens.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from tests.auth0.scripted import (
    AUDIENCE,
    CLIENT_ID,
    DOMAIN,
    NOW,
    SECRET,
    UNAUTHORIZED,
    ScriptedTenant,
    html,
    oauth,
    to_callback,
)
from tests.auth0.test_tokens import GOOD, ID_CLAIMS, MAC_KEY, NONCE, signed
from tests.doctor.cases import HEX_32, PUBLIC_URL, env
from tests.fakes import FixedClock, NoProcesses, World, make_world
from tests.ports import free_port
from tests.stand_ins.librechat import LibreChat, Tunnel, running
from wizard.auth0.sign_in import Exchange
from wizard.auth0.tokens import Expected, Judgement, Tokens, judge_tokens
from wizard.commands import verify
from wizard.commands.doctor import DoctorOptions, run_doctor
from wizard.commands.verify import VerifyOptions, run_verify
from wizard.findings import Failure, Finding, Severity
from wizard.http import WAITING, WAITING_HEADER, HttpClient, NetworkError, Response, Trouble
from wizard.librechat.env_file import EnvFile
from wizard.rules import LIBRECHAT_HOLDS_PORT
from wizard.system.clock import Clock
from wizard.system.desktop import Desktop
from wizard.system.running_process import RunningProcess

REFUSED = "[OpenID OAuth] Callback authentication failed"
NOT_REGISTERED = "OpenID Connect configuration failed - strategy not registered."
LOCAL = "https://localhost:3443"
NGROK = "https://old-1234.ngrok-free.app"
OPAQUE = replace(GOOD, access_token="opaque")
BY_SECRET = replace(GOOD, id_token=signed(ID_CLAIMS, key=MAC_KEY, algorithm="HS256"))
NO_REFRESH = replace(GOOD, refresh_token="")
ROLE = {
    "OPENID_REQUIRED_ROLE": "staff",
    "OPENID_REQUIRED_ROLE_PARAMETER_PATH": "roles",
    "OPENID_REQUIRED_ROLE_TOKEN_KIND": "id",
}
WITHOUT_REUSE = {"OPENID_REUSE_TOKENS": "false"}
GRANT_OFF = oauth(
    "unauthorized_client", "Grant type 'refresh_token' not allowed for the client.", 403
)
MISMATCH = html("<p>Callback URL mismatch.</p>", 403)
NO_API = to_callback(error="access_denied", error_description="Service not found: urn:any")
NO_GRANT = to_callback(
    error="invalid_request",
    error_description=f'Client "{CLIENT_ID}" is not authorized to access resource server "x".',
)


@dataclass(frozen=True)
class Fault:
    """A fault, and its findings.

    Attributes:
        doctor: the first finding of `doctor` while LibreChat runs, "" for none.
        fix: part of its next step.
        verify: the first finding of `verify` while LibreChat is stopped, "" for a proved sign-in,
            None if `verify` cannot see the fault.
        through: the first finding of `verify` while LibreChat runs, if it is neither `verify` nor
            LA435, which is for a sign-in that only the log has.
        env: the lines of the `.env` that differ from a correct one.
        runs_with: the values LibreChat was started with, if they differ from the file.
        log: what LibreChat logged since then: level and message.
        tenant: the responses of the tenant.
        tokens: the tokens of the sign-in.
        is_stale: whether LibreChat started before the `.env` changed.
        runs: whether LibreChat is running.
        shell: the variables its process got from its shell.
    """

    doctor: str
    fix: str = ""
    verify: str | None = ""
    env: Mapping[str, str | None] = field(default_factory=dict)
    runs_with: Mapping[str, str] = field(default_factory=dict)
    log: tuple[tuple[str, str], ...] = ()
    tenant: Mapping[str, Any] = field(default_factory=dict)
    tokens: Tokens = GOOD
    is_stale: bool = False
    runs: bool = True
    shell: Mapping[str, str] = field(default_factory=dict)
    yaml: str = ""
    version: str = "0.8.7"
    through: str = ""
    librechat: Mapping[str, Any] = field(default_factory=dict)
    public: Mapping[str, Any] = field(default_factory=dict)


def error(message: str) -> tuple[tuple[str, str], ...]:
    return (("error", message),)


def refused(reason: str) -> tuple[tuple[str, str], ...]:
    return (("warn", f"{REFUSED} {reason}"),)


def at(client: str, server: str | None = None) -> dict[str, str]:
    return {
        "DOMAIN_CLIENT": client,
        "DOMAIN_SERVER": server or client,
        "HSTS_ENABLED": "false",
    }


STALE_SECRET = refused("server responded with an error in the response body")
NO_TOKEN = error("[setOpenIDAuthTokens] No refresh token available")
FAULTS: Mapping[str, Fault] = {
    "healthy": Fault(""),
    # Tokens
    "opaque access token": Fault(
        "LA112",
        "OPENID_AUDIENCE",
        "LA412",
        {"OPENID_AUDIENCE": "", "OPENID_REFRESH_AUDIENCE": ""},
        tokens=OPAQUE,
        through="LA435",
    ),
    "offline_access not requested": Fault(
        "LA119",
        "Add offline_access",
        "LA119",
        {"OPENID_SCOPE": "openid profile email"},
        log=NO_TOKEN,
    ),
    "API without offline access": Fault(
        "LA581", "Allow Offline Access", "LA417", log=NO_TOKEN, tokens=NO_REFRESH, through="LA581"
    ),
    "the same, with auto redirect": Fault(
        "LA581",
        "Allow Offline Access",
        "LA417",
        {"OPENID_AUTO_REDIRECT": "true"},
        log=NO_TOKEN,
        tokens=NO_REFRESH,
        through="LA581",
    ),
    "refresh grant off": Fault(
        "LA238", "Refresh Token", "LA238", log=NO_TOKEN, tenant={"refresh": GRANT_OFF}
    ),
    "ID token by HS256, with reuse": Fault(
        "LA590",
        "RS256",
        "LA403",
        tokens=BY_SECRET,
        log=(
            (
                "warn",
                "[requireJwtAuth] Authentication failed after all strategies"
                ' {"reason":"invalid signature"}',
            ),
        ),
        through="LA590",
    ),
    "ID token by HS256, without reuse": Fault("", env=WITHOUT_REUSE, tokens=BY_SECRET),
    "no email in the scope": Fault(
        "LA118",
        "Add email",
        "LA118",
        {"OPENID_SCOPE": "openid profile offline_access"},
        log=error("User validation failed: email: can't be blank"),
    ),
    "user without an email address": Fault(
        "LA589",
        "User Management",
        "LA410",
        log=error("User validation failed: email: can't be blank"),
        tokens=replace(GOOD, id_token=signed(ID_CLAIMS, email=None)),
        through="LA589",
    ),
    # Values of the client
    "wrong secret": Fault(
        "LA237",
        "Client Secret",
        "LA237",
        log=STALE_SECRET,
        tenant={"code": UNAUTHORIZED},
    ),
    "no secret, PKCE off": Fault(
        "LA103",
        "OPENID_CLIENT_SECRET",
        "LA103",
        {"OPENID_CLIENT_SECRET": "", "OPENID_USE_PKCE": "false"},
    ),
    "no secret, PKCE on": Fault("LA244", "secret", "LA244", {"OPENID_CLIENT_SECRET": ""}),
    "placeholder secret": Fault(
        "LA132", "your own value", "LA132", {"OPENID_CLIENT_SECRET": "your-client-secret"}
    ),
    "no client ID": Fault("LA101", "init", "LA009", {"OPENID_CLIENT_ID": ""}),
    "no session secret": Fault("LA101", "init", "LA101", {"OPENID_SESSION_SECRET": ""}),
    "no scope": Fault("LA102", "OPENID_SCOPE=", "LA102", {"OPENID_SCOPE": ""}),
    "social login off": Fault("LA100", "=true", "LA100", {"ALLOW_SOCIAL_LOGIN": "false"}),
    "whole callback URL": Fault(
        "LA106",
        "=/oauth/openid/callback",
        "LA106",
        {"OPENID_CALLBACK_URL": f"{PUBLIC_URL}/oauth/openid/callback"},
        tenant={"authorize": MISMATCH},
    ),
    # The tenant
    "issuer of another tenant": Fault(
        "LA230",
        "Client ID",
        "LA230",
        tenant={"authorize": html("invalid_request: Unknown client: x", 400)},
    ),
    "issuer on an unreachable host": Fault(
        "LA200",
        "domain",
        "LA200",
        tenant={"discovery": NetworkError(Trouble.NAME, f"https://{DOMAIN}")},
        librechat={"discovery_worked": False},
        log=error(NOT_REGISTERED),
    ),
    "bare issuer": Fault("LA108", "https://", "LA108", {"OPENID_ISSUER": DOMAIN}),
    "issuer with a path": Fault(
        "LA110",
        f"=https://{DOMAIN}.",
        "LA110",
        {"OPENID_ISSUER": f"https://{DOMAIN}/oauth"},
        librechat={"discovery_worked": False},
    ),
    "issuer with a path on another host": Fault(
        "LA110",
        "domain alone",
        None,
        {"OPENID_ISSUER": "https://login.example.com/oauth"},
        tenant={"discovery": html("Not found", 404)},
        librechat={"discovery_worked": False},
    ),
    "tenant was down when LibreChat started": Fault(
        "LA582",
        "Restart LibreChat if the tenant answers now",
        None,
        librechat={"discovery_worked": False},
        log=(*error("[openidStrategy] fetch failed"), *error(NOT_REGISTERED)),
        through="LA526",
    ),
    "Node does not trust the tenant's CA, no log": Fault(
        "LA526", "NODE_EXTRA_CA_CERTS", None, librechat={"discovery_worked": False}
    ),
    "a LibreChat that retries discovery": Fault(
        "LA526",
        "without a restart",
        None,
        librechat={"discovery_worked": False},
        version="0.8.8-rc4",
    ),
    "callback URL not registered": Fault(
        "LA231", "Allowed Callback URLs", "LA231", tenant={"authorize": MISMATCH}
    ),
    "sign-out page not allowed": Fault(
        "LA437",
        "Allowed Logout URLs",
        "LA437",
        tenant={"logout": html("<p>Oops</p>", 400)},
    ),
    "unknown API": Fault("LA232", "Identifier", "LA232", tenant={"authorize": NO_API}),
    "API does not grant the application": Fault(
        "LA233", "User-Delegated Access", "LA233", tenant={"authorize": NO_GRANT}
    ),
    # Users that LibreChat admits
    "denied by an Action": Fault("LA585", "log", None, log=refused("You are not allowed")),
    "role missing": Fault(
        "LA586",
        "role",
        "LA586",
        ROLE,
        log=(
            *error("[openidStrategy] Key 'roles' not found in id token!"),
            *refused('You must have "staff" role to log in.'),
        ),
    ),
    "email domain not allowed": Fault(
        "LA587",
        "allowedDomains",
        "LA587",
        yaml="registration:\n  allowedDomains: [other.test]\n",
        log=refused("Email domain not allowed"),
    ),
    "local account with the same address": Fault(
        "LA588",
        "another address",
        None,
        log=(
            (
                "warn",
                "[openidStrategy] Attempted OpenID login by user a@b.test,"
                ' was registered with "local" provider',
            ),
            *refused("auth_failed"),
        ),
    ),
    # Old values
    "secret changed, not restarted": Fault(
        "LA550", "Restart LibreChat", is_stale=True, log=STALE_SECRET, through="LA594"
    ),
    "reuse changed, not restarted": Fault(
        "LA594", "Restart LibreChat", is_stale=True, through="LA594"
    ),
    "audience changed, not restarted": Fault(
        "LA550",
        "Restart LibreChat",
        is_stale=True,
        runs_with={"OPENID_AUDIENCE": "urn:old"},
        log=refused("Service not found: urn:old"),
        through="LA550",
    ),
    "label changed, not restarted": Fault(
        "LA594",
        "Restart LibreChat",
        is_stale=True,
        runs_with={"OPENID_BUTTON_LABEL": "Old"},
        through="LA594",
    ),
    "issuer changed, not restarted": Fault(
        "LA550",
        "Restart LibreChat",
        is_stale=True,
        runs_with={"OPENID_ISSUER": "https://old.eu.auth0.com"},
        through="LA550",
    ),
    "social login switched on, not restarted": Fault(
        "LA550",
        "Restart LibreChat",
        is_stale=True,
        runs_with={"ALLOW_SOCIAL_LOGIN": "false"},
        through="LA550",
    ),
    "the shell wins": Fault(
        "LA232",
        "Unset OPENID_AUDIENCE in the shell",
        None,
        tenant={"authorize": NO_API},
        shell={"OPENID_AUDIENCE": "urn:shell"},
        runs_with={"OPENID_AUDIENCE": "urn:shell"},
    ),
    "the shell won before the file was changed": Fault(
        "LA524",
        "Unset OPENID_AUDIENCE in the shell",
        None,
        is_stale=True,
        shell={"OPENID_AUDIENCE": "urn:shell"},
        runs_with={"OPENID_AUDIENCE": "urn:shell"},
    ),
    # Addresses
    "URL of a closed tunnel": Fault(
        "LA530",
        "librechat-auth0 tunnel",
        "LA530",
        at(NGROK),
        tenant={"authorize": MISMATCH},
        public={"answer": Response(NGROK, 404, {"ngrok-error-code": "ERR_NGROK_3200"}, b"")},
    ),
    "proxy without X-Forwarded-Proto": Fault(
        "LA527",
        "X-Forwarded-Proto",
        None,
        public={"tells_https": False},
        log=refused("Unable to verify authorization request state"),
    ),
    "LibreChat on another port than the tunnel's": Fault(
        "LA532",
        "tunnel",
        None,
        public={"answer": Response(PUBLIC_URL, 503, {WAITING_HEADER: WAITING}, b"")},
    ),
    "127.0.0.1 and localhost": Fault(
        "LA127", "Set both", "LA127", at("https://127.0.0.1:3443", LOCAL)
    ),
    "http and https at one port": Fault(
        "LA127", "Set both", "LA127", at(LOCAL, LOCAL.replace("https", "http"))
    ),
    "another port of localhost": Fault("", env=at("http://localhost:3080", LOCAL)),
    "address with a slash": Fault("LA124", f"={PUBLIC_URL}.", "LA124", at(f"{PUBLIC_URL}/")),
    "address without a scheme": Fault("LA123", "https://", "LA123", at("localhost:3443")),
    "no tunnel": Fault("", env=at("http://localhost:3080")),
    # LibreChat's own keys
    "CREDS_KEY of 60 digits": Fault("LA162", "openssl", env={"CREDS_KEY": "a" * 60}),
    "CREDS_IV of 30 digits": Fault("LA162", "openssl", env={"CREDS_IV": "a" * 30}),
    "CREDS_KEY of 32 digits": Fault("LA163", "openssl", env={"CREDS_KEY": HEX_32}),
    "published key": Fault(
        "LA160", "openssl", env={"CREDS_IV": "e2341419ec3dd3d19b13a1a87fafcbfb"}
    ),
    "no JWT_SECRET": Fault(
        "LA166",
        "openssl",
        "LA166",
        {"JWT_SECRET": ""},
        runs=False,
        log=error("Failed to start server: JwtStrategy requires a secret or key"),
    ),
    # LibreChat is not running
    "LibreChat is stopped": Fault("LA520", "Start LibreChat", runs=False),
    "MongoDB is stopped": Fault(
        "LA580",
        "MongoDB",
        runs=False,
        log=error("Failed to start server: connect ECONNREFUSED 127.0.0.1:27017"),
    ),
    # librechat.yaml
    "librechat.yaml hides the button": Fault(
        "LA504",
        "openid",
        "LA504",
        yaml="registration:\n  socialLogins: [github]\n",
        librechat={"social_logins": ["github"]},
    ),
    "a good librechat.yaml": Fault("", yaml="registration:\n  socialLogins: [openid]\n"),
    "too many sign-ins": Fault(
        "LA533", "five minutes", librechat={"asked": ["/oauth/openid"] * 7}, through="LA533"
    ),
}


class Network:
    """Requests go to the tenant, or through the tunnel."""

    def __init__(self, tenant: HttpClient, librechat: HttpClient) -> None:
        self._tenant, self._librechat = tenant, librechat

    def request(self, method: str, url: str, **options: Any) -> Response:
        is_tenant = DOMAIN in url or "//login.example.com/" in url
        client = self._tenant if is_tenant else self._librechat
        return client.request(method, url, **options)


class Machine(NoProcesses):
    """A machine on which npm runs the folder's LibreChat, or nothing runs."""

    def __init__(self, process: RunningProcess | None) -> None:
        self._process = process

    def listening(self, port: int) -> RunningProcess | None:
        return self._process


def furnished(folder: Path, fault: Fault, port: int) -> str:
    """Write the fault's files to the folder; return the text of its `.env`."""
    own = {
        "OPENID_ISSUER": f"https://{DOMAIN}",
        "OPENID_CLIENT_ID": CLIENT_ID,
        "OPENID_CLIENT_SECRET": SECRET,
        "OPENID_AUDIENCE": AUDIENCE,
        "OPENID_REFRESH_AUDIENCE": AUDIENCE,
        "ALLOW_REGISTRATION": "false",
        "PORT": str(port),
    }
    text = env(**{**own, **fault.env})
    (folder / ".env").write_text(text, newline="")
    (folder / ".env").chmod(0o600)
    package = {"name": "LibreChat", "version": f"v{fault.version}"}
    (folder / "package.json").write_text(json.dumps(package))
    if fault.yaml:
        (folder / "librechat.yaml").write_text(fault.yaml)
    (folder / "api" / "logs").mkdir(parents=True)
    write_log(folder, written(folder) + 7, fault.log)
    return text


def write_log(folder: Path, at: float, lines: Sequence[tuple[str, str]]) -> None:
    """Write the lines like LibreChat: all to the debug log, errors also to the error log."""
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at))
    logs = folder / "api" / "logs"
    with (logs / f"debug-{stamp[:10]}.log").open("a") as file:
        file.writelines(f"{stamp} {level}: {message}\n" for level, message in lines)
    with (logs / f"error-{stamp[:10]}.log").open("a") as file:
        for level, message in lines:
            if level == "error":
                line = {"level": level, "message": message, "timestamp": stamp}
                file.write(json.dumps(line) + "\n")


def written(folder: Path) -> float:
    return (folder / ".env").stat().st_mtime


def world_of(folder: Path, fault: Fault, http: HttpClient) -> World:
    world = make_world(folder, http=http, clock=FixedClock(NOW))
    started = written(folder) + (-60 if fault.is_stale else 5)
    command = ("node", "api/server/index.js")
    process = RunningProcess(4711, "node", command, folder, started, environ=dict(fault.shell))
    machine = Machine(process if fault.runs else None)
    return replace(world, ports=world.ports._replace(processes=machine))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "LibreChat"
    path.mkdir()
    return path


@contextmanager
def librechat_of(fault: Fault) -> Iterator[LibreChat]:
    """Run the fault's LibreChat on a free port, or nothing."""
    if fault.runs:
        with running(LibreChat({}, **fault.librechat)) as librechat:
            yield librechat
    else:
        yield LibreChat({}, port=free_port())


def problems(findings: Sequence[Finding]) -> list[Finding]:
    return [each for each in findings if each.severity is not Severity.NOTE]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
def test_doctor_names_the_cause_and_the_fix(fault: Fault, folder: Path) -> None:
    with librechat_of(fault) as librechat:
        values = EnvFile(furnished(folder, fault, librechat.port)).values()
        librechat.values = {**values, **fault.runs_with}
        public = Tunnel(values["DOMAIN_SERVER"], librechat.port, **fault.public)
        world = world_of(folder, fault, Network(ScriptedTenant(**fault.tenant), public))
        result = run_doctor(DoctorOptions(), world.ports)

    found = problems(result.findings)
    assert result.as_json()["proved"] is False
    if not fault.doctor:
        assert found == []
        assert "No error found, but the sign-in is not proved." in world.said
        return
    assert found[0].rule.id == fault.doctor, [each.rule.id for each in found]
    assert fault.fix in found[0].fix
    # Only the cause is reported, without its consequences.
    assert len({each.rule.id for each in found if each.severity is Severity.ERROR}) <= 1
    assert (result.exit_code != 0) is (found[0].severity is Severity.ERROR)


@pytest.mark.parametrize(
    "fault",
    [each for each in FAULTS.values() if each.verify is not None],
    ids=[name for name, each in FAULTS.items() if each.verify is not None],
)
def test_verify_while_librechat_is_stopped(
    fault: Fault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = EnvFile(furnished(folder, fault, free_port())).values()
    stopped = replace(fault, runs=False)
    public = Tunnel(values["DOMAIN_SERVER"], int(values["PORT"]), **fault.public)
    world = world_of(folder, stopped, Network(ScriptedTenant(**fault.tenant), public))

    def signed_in(it: Exchange, *_: object, **__: object) -> Judgement:
        expected = Expected(it.settings, it.discovery, it.keys, NONCE, NOW, it.admit)
        refreshed = fault.tokens if it.settings.reuse_tokens else None
        return judge_tokens(expected, fault.tokens, refreshed)

    monkeypatch.setattr(verify, "sign_in", signed_in)
    found, code, is_proved = verified(world)
    assert [each.rule.id for each in found][:1] == ([fault.verify] if fault.verify else [])
    is_error = bool(found) and found[0].severity is Severity.ERROR
    assert (code != 0) is is_error
    # A sign-in is proved even without the logout URL.
    assert is_proved is (fault.verify in {"", "LA437"})


class Visitor(Desktop):
    """The browser; a visit makes LibreChat write to its log."""

    def __init__(self, folder: Path, fault: Fault, clock: Clock) -> None:
        self._folder, self._fault, self._clock = folder, fault, clock

    def open(self, link: str) -> bool:
        lines = self._fault.log or (("info", "[openidStrategy] login success openidId: x"),)
        write_log(self._folder, self._clock.now() + 1, lines)
        return True


RUNNING = {name: each for name, each in FAULTS.items() if each.runs}


@pytest.mark.parametrize("fault", RUNNING.values(), ids=RUNNING.keys())
def test_verify_while_librechat_runs(
    fault: Fault, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def held(*_: object, **__: object) -> Judgement:
        raise LIBRECHAT_HOLDS_PORT.failure("Port.")

    monkeypatch.setattr(verify, "sign_in", held)
    with librechat_of(fault) as librechat:
        values = EnvFile(furnished(folder, replace(fault, log=()), librechat.port)).values()
        librechat.values = {**values, **fault.runs_with}
        public = Tunnel(values["DOMAIN_SERVER"], librechat.port, **fault.public)
        world = world_of(folder, fault, Network(ScriptedTenant(**fault.tenant), public))
        ports = world.ports._replace(desktop=Visitor(folder, fault, world.ports.clock))
        found, code, is_proved = verified(replace(world, ports=ports))

    expected = fault.through or fault.verify
    if expected is None:
        expected = fault.doctor
    assert found[0].rule.id == (expected or "LA435"), [each.rule.id for each in found]
    assert code != 0
    assert not is_proved


def verified(world: World) -> tuple[list[Finding], int, bool]:
    """Return what `verify` finds, its exit code, and whether the sign-in is proved."""
    try:
        result = run_verify(VerifyOptions(), world.ports)
    except Failure as failure:
        return [failure.finding], failure.exit_code, False
    return problems(result.findings), result.exit_code, result.as_json()["proved"] is True
