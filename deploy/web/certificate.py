"""A certificate that this machine signs itself, so that phones in its network get https.

Browsers warn once, because only this machine vouches for it; the fingerprint shows that it is the
right one. It is kept, so that a phone warns once and not at each start.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...errors import BackendError, os_errors_as
from ...files import write_durably
from ...runtime.address import network_address
from ...runtime.cache import cache_path

if TYPE_CHECKING:
    from cryptography import x509

INSTALL: Final = 'pip install "pleinair[serve]"'
_DAYS = 365  # iOS refuses more
_LEFT = timedelta(days=7)  # so long before its end a new one is made


@dataclass(frozen=True)
class Certificate:
    """One on disk, with its key in the same file."""

    path: Path
    fingerprint: str  # SHA-256, as browsers show it


def names() -> list[str]:
    """Returns this machine's names: localhost, and its address in the network if it has one."""
    return ["localhost", *filter(None, [network_address()])]


def make(hosts: list[str]) -> Certificate:
    """Returns the kept certificate if it is for these hosts and lasts, else a new one.

    Raises:
        BackendError: What makes it is not installed, or it cannot be kept.
    """
    try:
        import cryptography  # noqa: F401
        from cryptography.hazmat.primitives import hashes
    except ModuleNotFoundError as error:
        raise BackendError(f"--https needs {error.name}; run: {INSTALL}") from error
    path = cache_path("certificate.pem")
    found = _kept(path, hosts) or _write(path, hosts)
    return Certificate(path, found.fingerprint(hashes.SHA256()).hex(":").upper())


def _kept(path: Path, hosts: list[str]) -> x509.Certificate | None:
    """The certificate of a file, if it is whole, has its key, is for these hosts, and lasts."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        content = path.read_bytes()
        found = x509.load_pem_x509_certificate(content)
        key = load_pem_private_key(content, None)
        known = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        fits = [str(name.value) for name in known] == hosts
        fresh = found.not_valid_after_utc - datetime.now(UTC) > _LEFT
        is_its = found.public_key() == key.public_key()
        return found if fits and fresh and is_its else None
    except Exception:  # of cryptography, OpenSSL and the system: a new one is made
        return None


def _named(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, hosts: list[str]) -> x509.Certificate:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pleinair on this network")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName([_named(host) for host in hosts]), False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    content = certificate.public_bytes(serialization.Encoding.PEM) + private
    with os_errors_as(BackendError, f"{path} cannot be written"):
        write_durably(path, content, mode=0o600)  # nobody else reads the key
    return certificate
