"""The twin's own certificate authority and its server certificates, new at every start."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from bridge.twin.faults import FaultKind

_OWN_NAMES = ("localhost", "127.0.0.1", "::1")


def issue_server_context(
    ca_file: Path, *names: str, failing: Callable[[], FaultKind | None] = lambda: None
) -> ssl.SSLContext:
    """Return a TLS 1.3 server context for localhost and those names; write its CA to ca_file.

    `failing` is asked at every handshake what goes wrong with it. The private keys are in a file
    only for the moment in which OpenSSL reads it.
    """
    authority = trustme.CA()
    identities = sorted({*_OWN_NAMES, *names})
    wrong: dict[FaultKind, ssl.SSLContext] = {}

    def begin(connection: ssl.SSLObject, _server_name: str | None, _: ssl.SSLContext) -> int | None:
        kind = failing()
        if kind is FaultKind.TLS_REFUSED:
            return ssl.AlertDescription.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
        if kind is not None:
            if kind not in wrong:
                wrong[kind] = _server_context(_wrong_certificate(kind, authority, identities))
            connection.context = wrong[kind]
        return None

    context = _server_context(authority.issue_cert(*identities))
    context.sni_callback = begin
    authority.cert_pem.write_to_path(str(ca_file))
    return context


def _server_context(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    certificate.configure_cert(context)
    return context


def _wrong_certificate(
    kind: FaultKind, authority: trustme.CA, identities: list[str]
) -> trustme.LeafCert:
    if kind is FaultKind.TLS_OTHER_NAME:
        return authority.issue_cert("other.example.test")
    if kind is FaultKind.TLS_EXPIRED:
        yesterday = datetime.now(UTC) - timedelta(days=1)
        return authority.issue_cert(*identities, not_after=yesterday)
    return trustme.CA().issue_cert(*identities)
