"""The TLS side of a vCenter connection: the certificate and its host name are always verified."""

import ssl
from pathlib import Path

from bridge.vcenter.errors import BadCaFile


def client_context(ca_file: Path | None) -> ssl.SSLContext:
    """Build a context that trusts `ca_file`, or else the system's store; raises BadCaFile."""
    # not create_default_context: it writes session keys to $SSLKEYLOGFILE
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, ca_file)
    return context


def _trust(context: ssl.SSLContext, ca_file: Path) -> None:
    problem = None
    try:
        head = ca_file.read_bytes()[:2]
        context.load_verify_locations(cafile=str(ca_file))
    except FileNotFoundError:
        problem = "does not exist"
    except PermissionError:
        problem = "may not be read by this user"
    except IsADirectoryError:
        problem = "is a directory; name one file in it"
    except ssl.SSLError:
        problem = "holds no certificate in PEM form"
        if head == b"PK":
            problem = "is a zip archive; unpack it and name the file in certs/lin"
    except OSError as error:
        problem = f"cannot be read ({error.strerror})"
    if problem is None and not context.cert_store_stats()["x509"]:
        problem = "holds no certificate, only revocation lists"
    if problem is not None:
        raise BadCaFile(f"ca_file {ca_file} {problem}")
    # what the administrator put into the file is trusted as it is, be it root or intermediate
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
