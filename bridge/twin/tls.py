"""The twin's own certificate authority and its server certificate, new at every start."""

import ssl
from pathlib import Path

import trustme


def issue_server_context(ca_file: Path, *names: str) -> ssl.SSLContext:
    """Return a TLS 1.3 server context for localhost and those names; write its CA to ca_file.

    The private key is in a file only for the moment in which OpenSSL reads it.
    """
    authority = trustme.CA()
    own = {"localhost", "127.0.0.1", "::1", *names}
    certificate = authority.issue_cert(*sorted(own))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    certificate.configure_cert(context)
    authority.cert_pem.write_to_path(str(ca_file))
    return context
