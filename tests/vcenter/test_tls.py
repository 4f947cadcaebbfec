import datetime as dt
import ssl

import pytest
import trustme

from bridge.vcenter import VCenter
from bridge.vcenter.errors import BadCaFile, SendFate, Unreachable, UntrustedCertificate
from bridge.vcenter.tls import client_context
from tests.vcenter.conftest import raw_server, tcp_server


def tls_with(ca: trustme.CA, *names: str, **more) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(*names, **more).configure_cert(context)
    return context


async def ok(head, reader, writer):
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n{"status":"DISABLED"}')


async def opened(config, password) -> VCenter:
    client = VCenter(config, password)
    try:
        await client.open()
    finally:
        await client.close()
    return client


async def test_a_certificate_of_the_ca_file_for_this_name_is_trusted(config, password, server_tls):
    async with raw_server(ok, server_tls) as url:
        await opened(config(url), password)


async def test_another_ca_is_not_trusted(config, password):
    async with raw_server(ok, tls_with(trustme.CA(), "localhost")) as url:
        with pytest.raises(UntrustedCertificate) as caught:
            await opened(config(url), password)
    text = str(caught.value)
    assert f"download {url}/certs/download.zip" in text
    assert "ca_file" in text
    assert "\n" not in text
    assert caught.value.fate is SendFate.NOT_SENT


async def test_the_system_store_does_not_know_it(config, password, server_tls):
    async with raw_server(ok, server_tls) as url:
        with pytest.raises(UntrustedCertificate, match="set ca_file"):
            await opened(config(url, ca_file=None), password)


async def test_another_name_is_not_trusted(config, password, ca):
    async with raw_server(ok, tls_with(ca, "vcenter.example.com")) as url:
        with pytest.raises(UntrustedCertificate, match="is not for localhost"):
            await opened(config(url), password)


async def test_another_address_is_not_trusted(config, password, ca):
    async with raw_server(ok, tls_with(ca, "127.0.0.2")) as url:
        with pytest.raises(UntrustedCertificate, match=r"is not for 127\.0\.0\.1"):
            await opened(config(url.replace("localhost", "127.0.0.1")), password)


async def test_an_expired_certificate_is_not_trusted(config, password, ca):
    yesterday = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    async with raw_server(ok, tls_with(ca, "localhost", not_after=yesterday)) as url:
        with pytest.raises(UntrustedCertificate, match="expired"):
            await opened(config(url), password)


async def test_a_certificate_of_tomorrow_makes_one_look_at_the_clocks(config, password, ca):
    tomorrow = dt.datetime.now(dt.UTC) + dt.timedelta(days=1)
    async with raw_server(ok, tls_with(ca, "localhost", not_before=tomorrow)) as url:
        with pytest.raises(UntrustedCertificate, match="is not valid yet; do the clocks"):
            await opened(config(url), password)


async def test_an_intermediate_in_the_ca_file_is_enough(config, password, ca, tmp_path):
    between = ca.create_child_ca()
    file = tmp_path / "between.pem"
    file.write_bytes(between.cert_pem.bytes())
    async with raw_server(ok, tls_with(between, "localhost")) as url:
        await opened(config(url, ca_file=file), password)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_tls_1_1_is_refused(config, password, ca):
    old = tls_with(ca, "localhost")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    async with raw_server(ok, old) as url:
        with pytest.raises(Unreachable, match="TLS"):
            await opened(config(url), password)


async def test_a_port_without_tls(config, password):
    async def plain(reader, writer):
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with tcp_server(plain) as port:
        with pytest.raises(Unreachable, match="does not speak TLS"):
            await opened(config(f"https://localhost:{port}"), password)


@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_connection_closed_during_tls_is_no_matter_of_trust(config, password, how):
    # so vCenter's proxy turns away the 2049th connection
    async def turned_away(reader, writer):
        await reader.read(1)
        getattr(writer.transport, how)()

    async with tcp_server(turned_away) as port:
        with pytest.raises(Unreachable) as caught:
            await opened(config(f"https://localhost:{port}"), password)
    assert type(caught.value) is Unreachable


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]"])
async def test_nobody_listens(config, password, closed_port, host):
    with pytest.raises(Unreachable) as caught:
        await opened(config(f"https://{host}:{closed_port}"), password)
    expected = f"no connection to {host}:{closed_port}: Connection refused; check url and network"
    assert str(caught.value).endswith(expected)


async def test_a_name_that_does_not_exist(config, password):
    with pytest.raises(Unreachable, match=r"vcenter\.invalid is not known"):
        await opened(config("https://vcenter.invalid"), password)


async def test_a_handshake_that_never_ends(config, password):
    async def silent(reader, writer):
        await reader.read()

    async with tcp_server(silent) as port:
        with pytest.raises(Unreachable, match="in time"):
            await opened(config(f"https://localhost:{port}", request_timeout_seconds=0.3), password)


def test_the_context_verifies_and_writes_no_keys(ca_file, monkeypatch, tmp_path):
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    for file in (ca_file, None):
        context = client_context(file)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.keylog_filename is None


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "does not exist"),
        (b"", "holds no certificate"),
        (b"PK\x03\x04 and so on", "zip archive"),
        (b"\x30\x82 DER", "holds no certificate in PEM form"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "no certificate"),
    ],
)
async def test_a_bad_ca_file_is_one_clear_line(config, password, tmp_path, content, text):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BadCaFile) as caught:
        await opened(config("https://localhost:1", ca_file=file), password)
    assert str(file) in str(caught.value)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_directory_is_no_ca_file(tmp_path):
    with pytest.raises(BadCaFile, match="directory"):
        client_context(tmp_path)
