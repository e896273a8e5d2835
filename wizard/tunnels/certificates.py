"""A certificate for `https://localhost`, from an authority on this machine.

mkcert's authority is used where there is one, since browsers trust it already. Otherwise one of our
own is made once and kept. Its name constraints are critical and it is for server certificates
only, so a stolen key opens no other site: OpenSSL, NSS, Chromium, Node and Go refuse the rest.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import ssl
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import Certificate, CertificateBuilder, GeneralName
from cryptography.x509.oid import ExtendedKeyUsageOID

from wizard.language import Message
from wizard.rules import rule
from wizard.settings import LOOPBACK_HOSTS
from wizard.system.locks import LockHeld, locked
from wizard.system.private_files import private_folder, write_whole
from wizard.system.reading import read_file
from wizard.tunnels.trust import CA_FILE, FOLDER, mkcert_root

if TYPE_CHECKING:
    from wizard.system.processes import Processes

PrivateKey = ec.EllipticCurvePrivateKey

AUTHORITY_DAYS = 3650
# Apple's limit is 825 days for authorities that a user added and 398 for built-in ones:
# https://support.apple.com/103769
LEAF_DAYS = 397
RENEW_BEFORE_DAYS = 30
LOCK_SECONDS = 30.0
MAX_BYTES = 1 << 20
_CLOCK_SKEW = timedelta(minutes=5)

NO_CERTIFICATE = rule("LA330")


@dataclass(frozen=True, slots=True)
class Authority:
    """An authority, and its certificate for localhost, 127.0.0.1 and ::1 (PEM)."""

    ca_file: Path  # the authority's certificate: what a browser has to trust
    # Certificate and key in one file, so that they match while another process renews them.
    certificate_file: Path
    mkcert: bool  # the authority is mkcert's, which browsers may trust already

    def server_context(self) -> ssl.SSLContext:
        """Return the TLS context of an HTTP/1.1 server, or raise LA330."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        try:
            context.load_cert_chain(self.certificate_file)
        except OSError as error:  # ssl.SSLError is one
            raise NO_CERTIFICATE.failure(f"{self.certificate_file}: {error}") from error
        return context


def local_authority(state_dir: Path, processes: Processes) -> Authority:
    """Return a certificate that is valid for at least a month, made or renewed if necessary.

    Several processes at once get the same. Raises LA330.
    """
    folder = state_dir / FOLDER
    lock_file = folder / ".lock"
    try:
        private_folder(state_dir, FOLDER)
        with locked(lock_file, LOCK_SECONDS):
            return _from_mkcert(folder, processes) or _from_own(folder)
    except LockHeld as error:
        raise NO_CERTIFICATE.failure(
            Message("another process has locked {file}", file=lock_file),
            fix=Message("Stop it, then run the command again."),
        ) from error
    except OSError as error:
        raise NO_CERTIFICATE.failure(f"{folder}: {error.strerror or error}") from error


# mkcert's authority


def _from_mkcert(folder: Path, processes: Processes) -> Authority | None:
    ca_file = mkcert_root(processes)
    authority = ca_file and _certificate(ca_file, follow_links=True)
    leaf_file = folder / "localhost-mkcert.pem"
    if not ca_file or not authority:
        return None
    if not _is_current(leaf_file, authority) and not _run_mkcert(leaf_file, processes):
        return None
    return Authority(ca_file, leaf_file, mkcert=True)


def _run_mkcert(leaf_file: Path, processes: Processes) -> bool:
    with tempfile.TemporaryDirectory(dir=leaf_file.parent) as scratch:
        made = str(Path(scratch) / leaf_file.name)
        # Given the same file twice, mkcert writes the certificate and its key into it.
        args = ["mkcert", "-ecdsa", "-cert-file", made, "-key-file", made, *LOOPBACK_HOSTS]
        if processes.run(args, timeout=30).status != 0:
            return False
        with contextlib.suppress(OSError):
            write_whole(leaf_file, _content(Path(made)))
            return True
    return False


# Our own authority


def _from_own(folder: Path) -> Authority:
    ca_file, key_file = folder / CA_FILE, folder / "ca-key.pem"
    leaf_file = folder / "localhost.pem"
    key = _key(key_file)
    authority = _certificate(ca_file)
    if key is None or authority is None or not _vouches(authority, key):
        key = key or _new_key()
        authority = _new_authority(key)
        write_whole(key_file, _key_pem(key))
        write_whole(ca_file, authority.public_bytes(Encoding.PEM), mode=0o644)
    if not _is_current(leaf_file, authority):
        leaf_key = _new_key()
        leaf = _new_leaf(leaf_key, authority, key)
        write_whole(leaf_file, leaf.public_bytes(Encoding.PEM) + _key_pem(leaf_key))
    return Authority(ca_file, leaf_file, mkcert=False)


def _vouches(authority: Certificate, key: PrivateKey) -> bool:
    """Whether the authority has this key and outlives a certificate made today."""
    left = authority.not_valid_after_utc - datetime.now(UTC)
    return authority.public_key() == key.public_key() and left > timedelta(days=LEAF_DAYS)


def _is_current(leaf_file: Path, authority: Certificate) -> bool:
    """Whether the file has a certificate of this authority, its key, and time left."""
    leaf = _certificate(leaf_file)
    if leaf is None:
        return False
    try:
        leaf.verify_directly_issued_by(authority)
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(leaf_file)
    except (ValueError, TypeError, InvalidSignature, ssl.SSLError):
        return False
    now = datetime.now(UTC)
    soon = now + timedelta(days=RENEW_BEFORE_DAYS)
    return leaf.not_valid_before_utc <= now and soon < leaf.not_valid_after_utc


def _new_authority(key: PrivateKey) -> Certificate:
    """Return a self-signed authority that can sign server certificates for localhost alone.

    Each kind of name in a server certificate is constrained: without a constraint, all names of
    that kind are permitted (RFC 5280, 4.2.1.10). The subject is not: Go refuses the whole
    authority then, and clients take no host from it but a common name, which they check as DNS.
    """
    # Trust stores tell authorities apart by their names, so each gets one of its own.
    subject = x509.Name.from_rfc4514_string(
        "O=Good for localhost on this computer only,"
        f"CN=librechat-auth0 authority {os.urandom(4).hex()}"
    )
    constraints = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
            x509.IPAddress(ipaddress.ip_network("::1/128")),
            x509.RFC822Name("localhost"),
            x509.UniformResourceIdentifier("localhost"),
        ],
        excluded_subtrees=None,
    )
    key_id = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = _builder(subject, subject, key, AUTHORITY_DAYS, is_authority=True)
    builder = builder.add_extension(constraints, critical=True)
    return builder.add_extension(key_id, critical=False).sign(key, SHA256())


def _new_leaf(
    key: PrivateKey,
    authority: Certificate,
    authority_key: PrivateKey,
) -> Certificate:
    def general(name: str) -> GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    subject = x509.Name.from_rfc4514_string("CN=localhost")
    names = x509.SubjectAlternativeName(map(general, LOOPBACK_HOSTS))
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    builder = _builder(subject, authority.subject, key, LEAF_DAYS, is_authority=False)
    builder = builder.add_extension(names, critical=False)
    return builder.add_extension(issuer_key, critical=False).sign(authority_key, SHA256())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: PrivateKey,
    days: int,
    *,
    is_authority: bool,
) -> CertificateBuilder:
    start = datetime.now(UTC) - _CLOCK_SKEW
    path_length = 0 if is_authority else None
    usage = x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    server_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
        .add_extension(x509.BasicConstraints(is_authority, path_length), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(server_only, critical=False)
    )


# Files


def _content(path: Path, *, follow_links: bool = False) -> bytes:
    """Return the file's content, b"" if it is missing or a link or device, to be replaced."""
    try:
        return read_file(path, MAX_BYTES, follow_links=follow_links)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EINVAL}:
            return b""
        raise


def _certificate(path: Path, *, follow_links: bool = False) -> Certificate | None:
    try:
        return x509.load_pem_x509_certificate(_content(path, follow_links=follow_links))
    except ValueError:
        return None


def _key(path: Path) -> PrivateKey | None:
    try:
        key = load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, PrivateKey):
        return None
    path.chmod(0o600)  # restoring a backup may have changed it
    return key


def _new_key() -> PrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
