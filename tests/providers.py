"""OpenID providers on loopback, as fixtures: the demo tenant and two third-party ones.

A conftest imports those it needs by name. All use HTTPS with a certificate from one throw-away
authority.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from jwt.algorithms import RSAAlgorithm

from tests.auth0.scripted import signing_key
from tests.conftest import lacking
from tests.ports import free_port
from tests.tenant.faults import tenant_server
from tests.tenant.state import Api, Application, Tenant, User, add_librechat
from wizard.http import Https, NetworkError
from wizard.settings import Settings

NODE = Path(__file__).parent / "node"
PUBLIC_URL = "https://chat.example.com"
NO_SUCH_TENANT = "no-such-tenant.us.auth0.com"
AUDIENCE = "https://api.librechat.ai"
EMAIL = "demo@example.com"
PASSWORD = "correct horse battery staple"

_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


@dataclass(frozen=True)
class Authority:
    """PEM files: the authority to trust, and its certificate for this machine's names."""

    ca: Path
    certificate: Path
    key: Path

    def http(self) -> Https:
        """Return a client that trusts only this authority."""
        return Https({"SSL_CERT_FILE": str(self.ca)})


def make_authority(folder: Path, *hosts: str) -> Authority:
    """Create an authority and its certificate in `folder`; the certificate also covers `hosts`."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "throw-away test authority")])
    now = dt.datetime.now(dt.UTC)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                critical=False,
            )
        )

    ca = (
        builder(ca_name, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False
        )
        .add_extension(_SIGNS_CERTIFICATES, critical=True)  # Python 3.13 requires this extension.
        .sign(ca_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
        *map(x509.DNSName, hosts),
    ]
    certificate = (
        builder(x509.Name([]), key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    made = Authority(folder / "ca.pem", folder / "localhost.pem", folder / "localhost-key.pem")
    made.ca.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


@dataclass(frozen=True)
class Demo:
    """A running demo tenant, set up correctly for LibreChat at `setup.public_url`."""

    tenant: Tenant
    setup: Settings
    application: Application
    api: Api
    user: User
    issuer: str
    http: Https

    @property
    def secret(self) -> str:
        """The client secret in LibreChat's settings."""
        return self.setup.client_secret or ""


def furnish(tenant: Tenant, http: Https, public_url: str = PUBLIC_URL) -> Demo:
    """Empty the running tenant and set it up for LibreChat at `public_url`."""
    tenant.reset()
    app = Application()
    setup = Settings(tenant.domain, app.client_id, app.client_secret, (AUDIENCE,), public_url)
    user = add_librechat(tenant, setup, EMAIL, PASSWORD)
    return Demo(
        tenant,
        setup,
        tenant.applications[app.client_id],
        tenant.apis[AUDIENCE],
        user,
        tenant.issuer,
        http,
    )


@dataclass(frozen=True)
class NodeProvider:
    """A running provider from npm; `domain` is host and port, `issuer` ends with a slash."""

    domain: str
    client_id: str
    client_secret: str
    audience: str
    email: str
    password: str

    @property
    def issuer(self) -> str:
        return f"https://{self.domain}/"


def waiting_threads(pid: int) -> str:
    """Return where each thread of a process waits, and in which system call (Linux)."""
    return "\n".join(
        " ".join((task.name, *((task / name).read_text() for name in ("comm", "wchan", "syscall"))))
        for task in sorted(Path(f"/proc/{pid}/task").glob("*"))
    )


@contextmanager
def node_program(
    script: str, environ: Mapping[str, str], *args: str, ready: str = "ready"
) -> Iterator[subprocess.Popen[str]]:
    """Run `tests/node/SCRIPT` while the context is open; it prints `ready` when it listens."""
    node = shutil.which("node")
    assert node is not None
    process = subprocess.Popen(
        [node, str(NODE / script), *args],
        cwd=NODE,
        env={"PATH": os.environ["PATH"], **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said: list[str] = []
    up, ended = threading.Event(), threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if ready in line:
                up.set()
        ended.set()
        up.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        assert up.wait(60), f"{script} hangs: {''.join(said)}\n{waiting_threads(process.pid)}"
        assert not ended.is_set(), f"{script} ended: {''.join(said)}"
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join(10)
        assert process.stdout is not None
        process.stdout.close()


@contextmanager
def running_librechat(authority: Authority, env_file: Path, port: int) -> Iterator[None]:
    """Run LibreChat's sign-in with the variables of `env_file`, on `port`; see its script."""
    environ = {"NODE_ENV": "production", "NODE_EXTRA_CA_CERTS": str(authority.ca)}
    with node_program("librechat_login.mjs", environ, str(env_file), str(port)):
        yield


def wait_for(http: Https, url: str) -> None:
    """Wait until `url` answers 200."""
    deadline = time.monotonic() + 60
    answer: object = None
    while answer != 200:
        assert time.monotonic() < deadline, answer
        time.sleep(0.05)
        try:
            answer = http.request("GET", url).status
        except NetworkError as error:
            answer = error


@contextmanager
def running_oidc_provider(
    authority: Authority, public_url: str = PUBLIC_URL, **environ: str
) -> Iterator[NodeProvider]:
    """Run npm's `oidc-provider`, set up like Auth0; `environ` changes the script's variables."""
    app = Application()
    provider = NodeProvider(
        f"localhost:{free_port()}", app.client_id, app.client_secret, AUDIENCE, EMAIL, PASSWORD
    )
    settings = {
        "ISSUER": provider.issuer,
        "CERTIFICATE": str(authority.certificate),
        "KEY": str(authority.key),
        "CLIENT_ID": provider.client_id,
        "CLIENT_SECRET": provider.client_secret,
        "CALLBACK_URL": f"{public_url}/oauth/openid/callback",
        "LOGOUT_URL": f"{public_url}/login",
        "AUDIENCE": provider.audience,
        "EMAIL": provider.email,
        "SIGNING_KEY": RSAAlgorithm.to_jwk(signing_key()),
    }
    with node_program("oidc_provider.mjs", {**settings, **environ}):
        yield provider


@contextmanager
def running_simulacrum(authority: Authority, home: Path) -> Iterator[NodeProvider]:
    """Run npm's `@simulacrum/auth0-simulator`; `home` is its HOME, which gets its certificates."""
    certificates = home / ".simulacrum" / "certs"
    certificates.mkdir(parents=True)
    shutil.copy(authority.certificate, certificates / "localhost.pem")
    shutil.copy(authority.key, certificates / "localhost-key.pem")
    app = Application()
    # The simulator accepts only ports from 3000 to 9999.
    provider = NodeProvider(
        f"localhost:{free_port(range(9100, 10_000))}",
        app.client_id,
        "any",
        AUDIENCE,
        EMAIL,
        PASSWORD,
    )
    settings = {
        "HOME": str(home),
        "PORT": provider.domain.rpartition(":")[2],
        "CLIENT_ID": provider.client_id,
        "AUDIENCE": provider.audience,
        "EMAIL": provider.email,
        "PASSWORD": provider.password,
    }
    with node_program("simulacrum.mjs", settings):
        wait_for(authority.http(), f"{provider.issuer}.well-known/openid-configuration")
        yield provider


def sign_in_at_simulacrum(http: Https, provider: NodeProvider, authorize_url: str) -> str:
    """Sign in at `authorize_url`; return the callback URL with its code.

    The simulator's login page loads a script from the internet; this sends what that script would.
    """
    shown = http.request("GET", authorize_url)
    asked = dict(parse_qsl(urlsplit(shown.headers["location"]).query))
    login = {
        **asked,
        "client_id": provider.client_id,
        "connection": "Username-Password-Authentication",
        "username": provider.email,
        "password": provider.password,
    }
    cookies = {"Cookie": "; ".join(line.partition(";")[0] for line in shown.set_cookies)}
    url = f"{provider.issuer}usernamepassword/login"
    page = http.request("POST", url, form=login, headers=cookies)
    (wctx,) = re.findall(r'name="wctx" value="([^"]*)"', page.text)
    url = f"{provider.issuer}login/callback"
    done = http.request("POST", url, form={"wctx": unescape(wctx)}, headers=cookies)
    return done.headers["location"]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"), NO_SUCH_TENANT)


@pytest.fixture(scope="session")
def demo_server(authority: Authority) -> Iterator[Tenant]:
    tenant = Tenant()
    with tenant_server(tenant, authority.certificate, authority.key):
        yield tenant


@pytest.fixture
def demo(authority: Authority, demo_server: Tenant) -> Demo:
    """A fresh demo tenant, set up correctly for LibreChat at `PUBLIC_URL`."""
    return furnish(demo_server, authority.http())


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Return the folder of the npm packages; without them the test is skipped, or fails in CI."""
    folder = NODE / "node_modules"
    if not (folder / "openid-client").is_dir():
        lacking("`npm ci --prefix tests/node`")
    return folder


@pytest.fixture
def oidc_provider(authority: Authority, node_modules: Path) -> Iterator[NodeProvider]:
    with running_oidc_provider(authority) as running:
        yield running


@pytest.fixture
def simulacrum(authority: Authority, node_modules: Path, tmp_path: Path) -> Iterator[NodeProvider]:
    with running_simulacrum(authority, tmp_path / "simulacrum") as running:
        yield running
