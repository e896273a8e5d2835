"""A certificate that browsers take for `https://localhost`, from an authority on this machine.

mkcert's authority is used where there is one, since browsers trust it already. Otherwise our own
is made once and kept. It is good for this machine's own names and for nothing else: its name
constraints are critical, and OpenSSL, NSS, Chromium and Node refuse whatever else its key signs,
so that a stolen key opens no other site.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from wizard.language import Message
from wizard.locks import LockHeld, locked
from wizard.private_files import private_folder, write_whole
from wizard.reading import read_file
from wizard.rules import rule
from wizard.settings import LOOPBACK_HOSTS

if TYPE_CHECKING:
    import ssl

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.x509 import Certificate, CertificateBuilder, GeneralName

    from wizard.processes import Processes

AUTHORITY_DAYS = 3650
# Apple's limit is 825 days for authorities that a user added and 398 for built-in ones
# (https://support.apple.com/103769): 397 is good everywhere.
_LEAF_NAME = "localhost"
LEAF_DAYS = 397
RENEW_BEFORE_DAYS = 30
LOCK_SECONDS = 30.0
MAX_BYTES = 1 << 20
_CLOCK_SKEW = timedelta(minutes=5)

NO_CERTIFICATE = rule("LA330")


FOLDER = "certificates"
CA_FILE = "ca.pem"


def known_authority(state_dir: Path) -> Path | None:
    """Our own authority's certificate, if there has been need of one."""
    path = state_dir / FOLDER / CA_FILE
    return path if path.is_file() else None


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate for localhost, 127.0.0.1 and ::1, and who vouches for it.

    Attributes:
        ca_file: the authority's certificate, PEM; what a browser has to trust.
        certificate_file: the server's certificate, PEM. One file with its key, so that the two
            match at every moment, while another process renews them too.
        key_file: the same file.
        mkcert: whether the authority is mkcert's, which browsers may trust already.
    """

    ca_file: Path
    certificate_file: Path
    key_file: Path
    mkcert: bool

    def server_context(self) -> ssl.SSLContext:
        """What a server of HTTP/1.1 on loopback needs: TLS 1.2 or later, the certificate.

        Raises:
            Failure: the files cannot be read.
        """
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self.load_into(context)
        return context

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have the connections to come use the certificate as it is now.

        Raises:
            Failure: the files cannot be read.
        """
        try:
            context.load_cert_chain(self.certificate_file, self.key_file)
        except OSError as error:  # ssl.SSLError is one
            raise NO_CERTIFICATE.failure(f"{self.certificate_file}: {error}") from error


def local_authority(state_dir: Path, processes: Processes) -> Authority:
    """A certificate that is good for a month at least; made or renewed where it has to be.

    Several processes may ask at once: one makes it, all get the same.

    Raises:
        Failure: it cannot be made or written.
    """
    folder = state_dir / FOLDER
    lock_file = folder / ".lock"
    try:
        private_folder(state_dir, FOLDER)
        with locked(lock_file, LOCK_SECONDS):
            return _from_mkcert(folder, processes) or _from_own(folder)
    except LockHeld as error:
        raise NO_CERTIFICATE.failure(
            Message("another process holds {file}", file=lock_file),
            fix=Message("End it, and try again."),
        ) from error
    except OSError as error:
        raise NO_CERTIFICATE.failure(f"{folder}: {error.strerror or error}") from error


# mkcert's authority


def mkcert_root(processes: Processes) -> Path | None:
    """The certificate of mkcert's authority on this machine; None if it cannot sign."""
    if processes.which("mkcert") is None:
        return None
    asked = processes.run(["mkcert", "-CAROOT"])
    folder = Path(asked.stdout.strip())
    whole = asked.status == 0 and (folder / "rootCA-key.pem").is_file()
    return folder / "rootCA.pem" if whole else None


def _from_mkcert(folder: Path, processes: Processes) -> Authority | None:
    """A certificate of mkcert's authority; None where there is none, or mkcert fails."""
    ca_file = mkcert_root(processes)
    authority = ca_file and _certificate(ca_file, follow_links=True)
    leaf_file = folder / "localhost-mkcert.pem"
    if not ca_file or not authority:
        return None
    if not _is_current(leaf_file, authority) and not _run_mkcert(leaf_file, processes):
        return None
    return Authority(ca_file, leaf_file, leaf_file, mkcert=True)


def _run_mkcert(leaf_file: Path, processes: Processes) -> bool:
    with tempfile.TemporaryDirectory(dir=leaf_file.parent) as scratch:
        made = str(Path(scratch) / leaf_file.name)
        # The same file twice: mkcert then writes the certificate and its key into one.
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
        write_whole(ca_file, _certificate_pem(authority), mode=0o644)
    if not _is_current(leaf_file, authority):
        leaf_key = _new_key()
        leaf = _new_leaf(leaf_key, authority, key)
        write_whole(leaf_file, _certificate_pem(leaf) + _key_pem(leaf_key))
    return Authority(ca_file, leaf_file, leaf_file, mkcert=False)


def _vouches(authority: Certificate, key: EllipticCurvePrivateKey) -> bool:
    """Whether the authority is this key's and outlives a certificate made today."""
    left = authority.not_valid_after_utc - datetime.now(UTC)
    return authority.public_key() == key.public_key() and left > timedelta(days=LEAF_DAYS)


def _is_current(leaf_file: Path, authority: Certificate) -> bool:
    """Whether the file has a whole certificate of this authority that is good for a while."""
    import ssl

    from cryptography.exceptions import InvalidSignature

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


def _new_authority(key: EllipticCurvePrivateKey) -> Certificate:
    """Return a self-signed authority that can sign server certificates for localhost alone.

    Each kind of name is constrained (RFC 5280, 4.2.1.10): one that is not mentioned is free.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    # Each authority has a name of its own: trust stores tell two of them apart by it.
    name = f"librechat-auth0 authority {os.urandom(4).hex()}"
    subject = _name(name, "Good for localhost on this computer only")
    constraints = x509.NameConstraints(
        permitted_subtrees=[
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_network("127.0.0.0/8")),
            x509.IPAddress(ipaddress.ip_network("::1/128")),
            x509.DirectoryName(_name(_LEAF_NAME)),
            x509.RFC822Name(_LEAF_NAME),
            x509.UniformResourceIdentifier(_LEAF_NAME),
        ],
        excluded_subtrees=None,
    )
    return (
        _builder(subject, subject, key, AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(sign_certificates=True), critical=True)
        .add_extension(constraints, critical=True)
        .add_extension(_server_only(), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )


def _new_leaf(
    key: EllipticCurvePrivateKey, authority: Certificate, authority_key: EllipticCurvePrivateKey
) -> Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256

    def general(name: str) -> GeneralName:
        try:
            return x509.IPAddress(ipaddress.ip_address(name))
        except ValueError:
            return x509.DNSName(name)

    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    return (
        _builder(_name(_LEAF_NAME), authority.subject, key, LEAF_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(sign_certificates=False), critical=True)
        .add_extension(_server_only(), critical=False)
        .add_extension(x509.SubjectAlternativeName(map(general, LOOPBACK_HOSTS)), critical=False)
        .add_extension(issuer_key, critical=False)
        .sign(authority_key, SHA256())
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, days: int
) -> CertificateBuilder:
    from cryptography import x509

    start = datetime.now(UTC) - _CLOCK_SKEW
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days))
    )


def _name(common_name: str, organization: str = "") -> x509.Name:
    from cryptography import x509

    attributes = [x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)]
    if organization:
        attributes.append(x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def _server_only() -> x509.ExtendedKeyUsage:
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])


def _key_usage(*, sign_certificates: bool) -> x509.KeyUsage:
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not sign_certificates,
        key_cert_sign=sign_certificates,
        crl_sign=sign_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


# Files


def _content(path: Path, *, follow_links: bool = False) -> bytes:
    """Return what is in the file, b"" where it is missing, or no file of ours and so replaced."""
    try:
        return read_file(path, MAX_BYTES, follow_links=follow_links)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EINVAL}:
            return b""
        raise


def _certificate(path: Path, *, follow_links: bool = False) -> Certificate | None:
    """The first certificate in the file; None if there is none."""
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(_content(path, follow_links=follow_links))
    except ValueError:
        return None


def _key(path: Path) -> EllipticCurvePrivateKey | None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_content(path), password=None)
    except (ValueError, TypeError):
        return None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        return None
    path.chmod(0o600)  # a backup that was put back may have lost it
    return key


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _certificate_pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM)
