from pathlib import Path

import pytest
from pydantic import ValidationError

from bridge.config import BridgeConfig, HsmConfig, VCenterConfig, parse
from bridge.config.values import parse_size, size_text


def test_the_documented_file_gives_the_documented_values(document):
    config = parse(document.encode(), folder=Path("/etc/entropy-bridge"))
    luna, site = config.hsm["luna"], config.vcenter["site-a"]
    assert (luna.name, luna.sessions, luna.reserve, luna.n_slots) == ("luna", 2, 2**21, 128)
    assert (site.name, site.max_in_flight, site.max_add_bytes) == ("site-a", 32, 2**18)
    assert site.ca_file == Path("/etc/entropy-bridge/ca.pem")
    assert site.hosts.clusters == ("Prod-EAL4",)
    assert config.status is not None
    assert (config.status.host, config.status.port) == ("127.0.0.1", 9464)


def test_everything_may_be_left_out():
    config = parse(b"")
    assert (config.hsm, config.vcenter, config.status, config.state_dir) == ({}, {}, None, None)


def test_models_do_not_change():
    hsm = HsmConfig(name="a", module=Path("/a.so"))
    with pytest.raises(ValidationError):
        hsm.sessions = 3


def test_state_directory_is_the_first_that_systemd_names(monkeypatch):
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/one:/var/lib/two")
    assert BridgeConfig().state_dir == Path("/var/lib/one")
    assert parse(b'state_dir = "/srv/state"').state_dir == Path("/srv/state")


def test_a_ring_is_cut_to_whole_slots():
    assert HsmConfig(name="a", module=Path("/a.so"), reserve=300_000).n_slots == 18


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [
        ("2MiB", 2**21),
        ("1.5 MiB", 3 * 2**19),
        ("64kB", 64_000),
        ("12288", 12288),
        (12288, 12288),
        ("3B", 3),
    ],
)
def test_sizes(text, n_bytes):
    assert parse_size(text) == n_bytes


@pytest.mark.parametrize(
    "text", ["", "MiB", "2 TiB", "-1", "1e6", "٢MiB", True, 2.0, None, "1.MiB"]
)
def test_no_sizes(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("n_bytes", [0, 3, 1023, 1024, 2**18, 2**21, 2**30, 3 * 2**30, 2**21 + 1])
def test_size_text_reads_back(n_bytes):
    assert parse_size(size_text(n_bytes)) == n_bytes


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://vc.example.com", "https://vc.example.com"),
        ("https://VC.example.com:8443/", "https://vc.example.com:8443"),
        ("https://[2001:db8::1]:443", "https://[2001:db8::1]:443"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:1", "http://[::1]:1"),
        ("http://localhost", "http://localhost"),
        ("https://vc_1.example.com.", "https://vc_1.example.com."),
        ("https://münchen.example", "https://münchen.example"),
    ],
)
def test_urls(url, kept):
    site = VCenterConfig(name="a", url=url, username="u", password_file=Path("/p"))
    assert site.url == kept


@pytest.mark.parametrize(
    "url",
    [
        "http://vcenter.example.com",
        "http://127.0.0.1.example.com",
        "https://user:secret@vcenter.example.com",
        "https://vcenter.example.com/api",
        "https://vcenter.example.com?x=1",
        "https://vcenter.example.com:99999",
        "https://[::1",
        "https://",
        "ftp://vcenter.example.com",
        "vcenter.example.com",
        "https://a b",
        "https://a\\b",
        "https://..",
        "https://vc..example.com",
        f"https://{'a' * 64}.example.com",
        "https://999.1.1.1",
        "https://10.0.0",
        "https://vcenter.example.com:0",
    ],
)
def test_no_urls(url):
    with pytest.raises(ValidationError) as caught:
        VCenterConfig(name="a", url=url, username="u", password_file=Path("/p"))
    assert "secret" not in str(caught.value)
