"""The certificate for localhost, checked by the clients that must trust it."""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography import x509

from tests.ports import free_port
from tests.sockets import Authority as Thief
from tests.tunnels.conftest import LibreChat, until
from tests.tunnels.loopback import Upstream, WithoutMkcert, running_proxy, serving
from wizard.findings import ExitCode, Failure
from wizard.system.loopback import is_free
from wizard.system.processes import Processes
from wizard.tunnels import certificates
from wizard.tunnels.certificates import Authority, local_authority

posix = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")


def own(folder: Path) -> Authority:
    return local_authority(folder, WithoutMkcert())


def leaf_of(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.certificate_file.read_bytes())


def ca_of(authority: Authority) -> x509.Certificate:
    return x509.load_pem_x509_certificate(authority.ca_file.read_bytes())


def days_left(certificate: x509.Certificate) -> float:
    return (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


def at(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    """Move the module's clock forward."""

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + later

    monkeypatch.setattr(certificates, "datetime", Later)


def test_the_authority_is_valid_for_loopback_names_only(tmp_path: Path) -> None:
    ca = ca_of(own(tmp_path))

    constraints = ca.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert constraints.value.excluded_subtrees is None
    assert [str(name.value) for name in constraints.value.permitted_subtrees or ()] == [
        "localhost",
        "127.0.0.0/8",
        "::1/128",
        "localhost",
        "localhost",
    ]
    basic = ca.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)


def test_the_certificate_is_for_this_computers_names_and_397_days(tmp_path: Path) -> None:
    authority = own(tmp_path)
    leaf = leaf_of(authority)

    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["localhost", "127.0.0.1", "::1"]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc == timedelta(days=397)
    leaf.verify_directly_issued_by(ca_of(authority))


@posix
def test_only_the_user_can_read_the_keys(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o755)
    authority = own(state)

    modes = {
        path.name: stat.S_IMODE(path.stat().st_mode)
        for path in (state, *authority.ca_file.parent.glob("*.pem"))
    }
    assert modes == {"state": 0o700, "ca.pem": 0o644, "ca-key.pem": 0o600, "localhost.pem": 0o600}


def test_creates_it_once(tmp_path: Path) -> None:
    first = own(tmp_path)
    before = {path: path.read_bytes() for path in first.ca_file.parent.glob("*.pem")}

    assert own(tmp_path) == first
    assert {path: path.read_bytes() for path in before} == before


def test_two_authorities_have_two_names(tmp_path: Path) -> None:
    assert ca_of(own(tmp_path / "a")).subject != ca_of(own(tmp_path / "b")).subject


def test_renews_it_a_month_before_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = own(tmp_path)
    ca, leaf = authority.ca_file.read_bytes(), leaf_of(authority)

    at(monkeypatch, timedelta(days=366))
    assert leaf_of(own(tmp_path)) == leaf
    at(monkeypatch, timedelta(days=368))
    renewed = leaf_of(own(tmp_path))

    assert renewed.not_valid_after_utc > leaf.not_valid_after_utc + timedelta(days=300)
    assert authority.ca_file.read_bytes() == ca


def test_replaces_an_authority_that_expires_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = ca_of(own(tmp_path))
    at(monkeypatch, timedelta(days=3650 - 396))
    after = own(tmp_path)

    assert ca_of(after).subject != before.subject
    leaf_of(after).verify_directly_issued_by(ca_of(after))


def break_leaf(folder: Path) -> None:
    (folder / "localhost.pem").write_text("half a certi")


def cut_off_leaf_key(folder: Path) -> None:
    leaf = folder / "localhost.pem"
    leaf.write_text(leaf.read_text().partition("-----BEGIN PRIVATE")[0])


def lose_leaf(folder: Path) -> None:
    (folder / "localhost.pem").unlink()


def lose_ca(folder: Path) -> None:
    (folder / "ca.pem").unlink()


def lose_ca_key(folder: Path) -> None:
    (folder / "ca-key.pem").unlink()


def swap_ca_key(folder: Path) -> None:
    other = own(folder.parent / "other").ca_file.parent / "ca-key.pem"
    (folder / "ca-key.pem").write_bytes(other.read_bytes())


@pytest.mark.parametrize(
    "damage", [break_leaf, cut_off_leaf_key, lose_leaf, lose_ca, lose_ca_key, swap_ca_key]
)
def test_repairs_damage(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    damage(own(tmp_path).ca_file.parent)
    authority = own(tmp_path)

    leaf_of(authority).verify_directly_issued_by(ca_of(authority))
    authority.server_context()
    assert own(tmp_path) == authority


def test_two_processes_at_once_get_the_same(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.tunnels.loopback import WithoutMkcert\n"
        "from wizard.tunnels.certificates import local_authority\n"
        "a = local_authority(Path(sys.argv[1]), WithoutMkcert()); a.server_context()\n"
        "print(a.ca_file.read_text(), a.certificate_file.read_text())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    outputs = {process.communicate(timeout=60)[0] for process in processes}

    assert len(outputs) == 1
    assert b"BEGIN CERTIFICATE" in outputs.pop()
    assert {path.name for path in (tmp_path / "certificates").glob("*.pem")} == {
        "ca.pem",
        "ca-key.pem",
        "localhost.pem",
    }


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")
def test_reports_a_folder_that_is_not_ours(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(Failure) as caught:
        own(tmp_path)
    assert caught.value.finding.rule.id == "LA330"


def test_reports_an_unusable_folder(tmp_path: Path) -> None:
    (tmp_path / "certificates").write_text("a file in the way")
    with pytest.raises(Failure) as caught:
        own(tmp_path)
    assert (caught.value.finding.rule.id, caught.value.exit_code) == ("LA330", ExitCode.TUNNEL)
    assert str(tmp_path) in caught.value.finding.detail


# mkcert


@pytest.fixture
def caroot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "caroot"
    monkeypatch.setenv("CAROOT", str(folder))
    return folder


def make_mkcert_authority(scratch: Path) -> None:
    args = ["mkcert", "-cert-file", str(scratch / "c"), "-key-file", str(scratch / "k"), "x.test"]
    subprocess.run(args, check=True, capture_output=True)


@pytest.mark.needs("mkcert")
def test_uses_mkcerts_authority_if_there_is_one(tmp_path: Path, caroot: Path) -> None:
    make_mkcert_authority(tmp_path)
    authority = local_authority(tmp_path / "state", Processes())

    assert authority.mkcert
    assert authority.ca_file == caroot / "rootCA.pem"
    assert not (tmp_path / "state/certificates/ca.pem").exists()
    names = leaf_of(authority).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert [str(name.value) for name in names.value] == ["localhost", "127.0.0.1", "::1"]
    assert stat.S_IMODE(authority.certificate_file.stat().st_mode) == 0o600
    leaf = authority.certificate_file.read_bytes()
    assert local_authority(tmp_path / "state", Processes()) == authority
    assert authority.certificate_file.read_bytes() == leaf


@pytest.mark.needs("mkcert")
def test_a_new_mkcert_authority_issues_a_new_certificate(tmp_path: Path, caroot: Path) -> None:
    make_mkcert_authority(tmp_path)
    before = leaf_of(local_authority(tmp_path / "state", Processes()))
    for path in caroot.iterdir():
        path.unlink()
    make_mkcert_authority(tmp_path)
    after = local_authority(tmp_path / "state", Processes())

    assert leaf_of(after) != before
    leaf_of(after).verify_directly_issued_by(ca_of(after))


@pytest.mark.needs("mkcert")
@pytest.mark.parametrize("lost", [None, "rootCA-key.pem"])
def test_ignores_mkcert_without_a_usable_authority(
    tmp_path: Path, caroot: Path, lost: str | None
) -> None:
    if lost:
        make_mkcert_authority(tmp_path)
        (caroot / lost).unlink()
    authority = local_authority(tmp_path / "state", Processes())

    assert not authority.mkcert
    assert not (caroot / "rootCA-key.pem").exists()


# The clients that must trust it


@pytest.fixture
def thief(tmp_path: Path) -> Thief:
    """An attacker with the key of our authority."""
    ca_file = own(tmp_path).ca_file
    return Thief.stolen(tmp_path, ca_file, ca_file.parent / "ca-key.pem")


@pytest.fixture
def forged(tmp_path: Path, thief: Thief) -> tuple[Authority, Path]:
    """Our authority, and a certificate for another site signed with its key."""
    return own(tmp_path), thief.issue("www.example.com", common_name="localhost")


@pytest.mark.needs("openssl")
def test_openssl_trusts_it_for_localhost_only(forged: tuple[Authority, Path], thief: Thief) -> None:
    authority = forged[0]

    def verify(path: Path, *options: str) -> str:
        args = ["openssl", "verify", *options, "-CAfile", str(authority.ca_file), str(path)]
        done = subprocess.run(args, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    assert verify(authority.certificate_file, "-x509_strict").endswith(": OK\n")
    for forgery in (forged[1], thief.issue(None, common_name="www.example.com")):
        assert "permitted subtree violation" in verify(forgery)


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(
    ("subject", "name", "purpose"),
    [
        ("/CN=localhost", "email:boss@example.com", "any"),
        ("/CN=localhost", "URI:https://example.com/me", "any"),
        ("/CN=Somebody Else", "DNS:localhost", "codesign"),
        ("/CN=Somebody Else", "email:me@localhost", "smimesign"),
        ("/CN=localhost", "email:me@localhost", "smimesign"),
        ("/CN=localhost", "DNS:localhost", "sslclient"),
    ],
)
def test_a_stolen_key_is_useless_beyond_localhosts_server(
    tmp_path: Path, subject: str, name: str, purpose: str
) -> None:
    folder = own(tmp_path).ca_file.parent
    extensions = tmp_path / "extensions"
    extensions.write_text(
        f"subjectAltName={name}\nextendedKeyUsage=emailProtection,clientAuth,codeSigning\n"
    )

    def openssl(*args: str) -> str:
        command = ["openssl", *args]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    openssl(
        *("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", "key.pem", "-out", "request.pem", "-subj", subject),
    )
    openssl(
        *("x509", "-req", "-in", "request.pem", "-CA", str(folder / "ca.pem")),
        *("-CAkey", str(folder / "ca-key.pem"), "-CAcreateserial", "-days", "30"),
        *("-extfile", str(extensions), "-out", "leaf.pem"),
    )
    ca = str(folder / "ca.pem")

    assert "OK" not in openssl("verify", "-CAfile", ca, "-purpose", purpose, "leaf.pem")
    # It is from that authority: without the purpose and the name it would be valid.
    assert "subject" in openssl("x509", "-in", "leaf.pem", "-noout", "-subject")


def test_python_rejects_the_forgery(forged: tuple[Authority, Path]) -> None:
    authority, forgery = forged
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    server.load_cert_chain(forgery)
    client.load_verify_locations(authority.ca_file)
    client.verify_flags &= ~ssl.VERIFY_X509_STRICT  # only the names must be wrong
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving_side = server.wrap_bio(to_server, to_client, server_side=True)
    asking_side = client.wrap_bio(to_client, to_server, server_hostname="www.example.com")

    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake_hands(asking_side, serving_side)


def shake_hands(*sides: ssl.SSLObject) -> None:
    for _ in range(4):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()


@pytest.mark.needs("node")
def test_node_trusts_it(tmp_path: Path) -> None:
    authority = own(tmp_path)
    with serving(Upstream().serve) as port, running_proxy(port, authority) as proxy:
        code = f"fetch('{proxy.url}/echo').then(r => console.log(r.status))"
        done = subprocess.run(
            ["node", "-e", code],
            env={**os.environ, "NODE_EXTRA_CA_CERTS": str(authority.ca_file)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.stdout == "200\n", done.stderr


@pytest.mark.needs("certutil", "openssl")
@pytest.mark.skipif(sys.platform != "linux", reason="certutil is NSS's on Linux")
def test_nss_trusts_it_for_localhost_only(
    forged: tuple[Authority, Path], thief: Thief, tmp_path: Path
) -> None:
    authority, forgery = forged
    common_name = thief.issue(None, common_name="www.example.com")
    database = f"sql:{tmp_path}"

    def certutil(*args: str) -> str:
        done = subprocess.run(
            ["certutil", "-d", database, *args], capture_output=True, text=True, check=False
        )
        return done.stdout + done.stderr

    certutil("-N", "--empty-password")
    certutil("-A", "-n", "ca", "-t", "C,,", "-i", str(authority.ca_file))
    certutil("-A", "-n", "leaf", "-t", ",,", "-i", str(authority.certificate_file))
    certutil("-A", "-n", "forged", "-t", ",,", "-i", str(forgery))
    certutil("-A", "-n", "common name", "-t", ",,", "-i", str(common_name))

    assert "certificate is valid" in certutil("-V", "-n", "leaf", "-u", "V")
    for name in ("forged", "common name"):
        assert "certificate is invalid" in certutil("-V", "-n", name, "-u", "V")


@pytest.mark.needs("caddy")
def test_go_trusts_it_for_localhost_only(forged: tuple[Authority, Path], tmp_path: Path) -> None:
    """With Caddy as the client: Go rejects an authority with an unknown constraint."""
    authority, forgery = forged

    def status_through_caddy(certificate: Path, name: str) -> int:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        with ThreadingHTTPServer(("127.0.0.1", 0), LibreChat) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
            port = free_port()
            config = tmp_path / "Caddyfile"
            config.write_text(
                "{\n admin off\n}\n"
                f"http://127.0.0.1:{port} {{\n reverse_proxy https://127.0.0.1:"
                f"{server.server_address[1]} {{\n transport http {{\n"
                f" tls_trusted_ca_certs {authority.ca_file}\n tls_server_name {name}\n"
                " }\n }\n}\n"
            )
            command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
            with subprocess.Popen(command, stderr=subprocess.DEVNULL) as caddy:
                try:
                    assert until(lambda: not is_free(port))
                    with contextlib.closing(
                        http.client.HTTPConnection("127.0.0.1", port)
                    ) as asking:
                        asking.request("GET", "/")
                        return asking.getresponse().status
                finally:
                    caddy.terminate()
                    server.shutdown()

    assert status_through_caddy(authority.certificate_file, "localhost") == 200
    assert status_through_caddy(forgery, "www.example.com") == 502
