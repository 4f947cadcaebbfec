"""Every mistake in the file is one line that names the place and says what to do."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.config import BridgeConfig, ConfigError, load, parse

HSM = '[hsm.a]\nmodule = "/m.so"\n'
VCENTER = '[vcenter.a]\nurl = "https://v"\nusername = "u"\npassword_file = "/p"\n'


def refused(document):
    with pytest.raises(ConfigError) as caught:
        parse(document if isinstance(document, bytes) else document.encode())
    text = str(caught.value)
    assert text.isprintable()
    return text


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[vcenters.a]", ["vcenters: is not a setting", "did you mean vcenter?"]),
        (VCENTER + "max_in_flihgt = 3", ["vcenter.a.max_in_flihgt", "did you mean max_in_flight"]),
        (VCENTER + "hosts.cluster = ['x']", ["vcenter.a.hosts.cluster", "mean clusters?"]),
        ("state_dir = 7", ["state_dir: must be a path in quotes"]),
        (HSM + "zzz = 1", ["hsm.a.zzz: is not a setting; settings here are module, token_label"]),
        (HSM + "name = 'b'", ["hsm.a.name", "the name is what the table is called"]),
        (VCENTER + "max_in_flight = 1000", ["vcenter.a.max_in_flight: must be at most 256"]),
        (VCENTER + "max_in_flight = true", ["vcenter.a.max_in_flight: must be a whole number"]),
        (VCENTER + "max_in_flight = '3'", ["vcenter.a.max_in_flight: must be a whole number"]),
        (VCENTER + "max_add_bytes = 2", ["vcenter.a.max_add_bytes: is too small", "at least 3"]),
        (VCENTER + "max_add_bytes = '2MiB'", ["max_add_bytes: is too large", "at most 1MiB"]),
        (VCENTER + "hosts.names = []", ["hosts.names: is an empty list; leave it out to mean all"]),
        (VCENTER + "hosts.names = 'a'", ["hosts.names: must be a list of texts"]),
        (VCENTER + "request_timeout_seconds = nan", ["request_timeout_seconds: must be"]),
        (VCENTER + "password_credential = 'x'", ["vcenter.a: has two passwords"]),
        (VCENTER.replace("password_file", "ca_file"), ["vcenter.a: has no password; give either"]),
        (VCENTER.replace('"u"', '"u:v"'), ["vcenter.a.username: holds a colon"]),
        ('[vcenter.a]\nurl = "https://v"', ["vcenter.a.username: is missing; add it"]),
        ('[vcenter]\nurl = "https://v"', ["vcenter.url: must be a table", "[vcenter.site-a]"]),
        ("hsm = 3", ["hsm: must be a table", "[hsm.luna]"]),
        ("feed = 3", ["feed: must be a table: [feed]"]),
        (HSM + "reserve = '64KiB'", ["reserve = 64KiB is too small for sessions = 2", '"256KiB"']),
        (HSM + "reserve = '2GiB'", ["hsm.a.reserve: is too large; use at most 1GiB"]),
        (HSM + "reserve = 'lots'", ["hsm.a.reserve: is not a size"]),
        (HSM + "sessions = 0", ["hsm.a.sessions: must be at least 1"]),
        (HSM + "sessions = 65", ["hsm.a.sessions: must be at most 64"]),
        (HSM + "call_bytes = 31", ["hsm.a.call_bytes: is too small; use at least 32"]),
        (HSM + "slot = 1\nserial = 'x'", ["hsm.a: serial and slot both choose the token"]),
        (HSM + "pin_file = 'a'\npin_credential = 'b'", ["both name the PIN; keep one"]),
        (HSM + "pin_credential = '../x'", ["hsm.a.pin_credential: has a character"]),
        (HSM + "env = { 'A=B' = 'c' }", ["hsm.a.env: has a name or value"]),
        ('[hsm."a b"]\nmodule = "x"', ["hsm.a b: has a character that a name cannot have"]),
        ('[hsm."a\\nb"]\nmodule = "x"', ["has a character that a name cannot have"]),
        ('[hsm.a]\nmodule = "a\\u0000b"', ["hsm.a.module: is not a path"]),
        ("[log]\nlevel = 'loud'", ["log.level: must be 'debug', 'info', 'warning' or 'error'"]),
        ("[status]\nlisten = ':80'", ["status.listen: is not an address; write HOST:PORT"]),
        ("[status]\nlisten = '::1:80'", ["status.listen: is not an address"]),
        ("[status]\nlisten = 'h:65536'", ["status.listen: is not an address"]),
        ("[feed]\nrefill_below = 0", ["feed.refill_below: must be more than 0"]),
        ("a = 1\nb = [1 2]", ["is not valid TOML", "line 2"]),
        ("a = 1\na = 2\n[b]", ["is not valid TOML", "line 2"]),
        (
            VCENTER.replace('"u"', r'"CORP\Uli"'),
            ["line 3", r"write a backslash twice (DOMAIN\\user)"],
        ),
        (
            VCENTER.replace('"u"', r'"CORP\svc"'),
            ["line 3", r"write a backslash twice (DOMAIN\\user)"],
        ),
        (VCENTER.replace('"u"', r'"CORP\bob"'), ["username: holds control", "a backslash twice"]),
        (VCENTER.replace('"u"', "“u”"), ["line 3", "in straight quotes"]),
        (VCENTER.replace('"u"', "u"), ["line 3", "write a text in straight quotes"]),
        (VCENTER + "fast_path = True", ["line 5", "true or false in small letters"]),
        (VCENTER + VCENTER, ["line 5", "give each table a name of its own"]),
        ("state_dir = 'a'\nstate_dir = 'b'", ["a setting is there twice; keep one"]),
        ("hsm:\n  luna: /m.so\n", ["line 1", 'one setting in a line, as in name = "value"']),
        ("a = " + "9" * 5000, ["is not valid TOML"]),
        ("a = " + "[" * 100_000, ["is not valid TOML"]),
        (b"a = 1\n\xff\xfe", ["line 2 is not UTF-8"]),
    ],
)
def test_a_mistake_is_named(document, words):
    text = refused(document)
    for word in words:
        assert word in text


@pytest.mark.parametrize("key", ["password", "passwd", "pin", "PIN", "user_password"])
@pytest.mark.parametrize("table", [HSM, VCENTER])
def test_a_secret_in_the_file_is_refused_and_not_repeated(table, key):
    text = refused(f"{table}{key} = 'hunter2'\n")
    assert "secrets do not belong in this file" in text
    assert "_credential" in text
    assert "hunter2" not in text


def test_all_problems_are_counted_and_kept():
    with pytest.raises(ConfigError) as caught:
        parse((HSM + "sessions = 0\nslot = -1\nfoo = 1\nbar = 2\nbaz = 3\n").encode())
    assert len(caught.value.problems) == 5
    assert str(caught.value).startswith("hsm.a.foo: ")
    assert "(and 4 more problems: " in str(caught.value)


def test_tables_that_a_command_needs():
    with pytest.raises(ConfigError, match=r"no HSM is configured; add a table .*vcenter"):
        parse(b"", need=("vcenter", "hsm"))
    with pytest.raises(ConfigError, match=r"no vCenter is configured"):
        parse(HSM.encode(), need=("hsm", "vcenter"))
    assert parse((HSM + VCENTER).encode(), need=("hsm", "vcenter")).hsm


def test_a_byte_order_mark_is_no_mistake():
    assert parse(b"\xef\xbb\xbf" + HSM.encode()).hsm


def test_a_missing_file(tmp_path):
    with pytest.raises(ConfigError, match=rf"^{tmp_path}/none.toml: there is no such file"):
        load(tmp_path / "none.toml")


def test_a_directory(tmp_path):
    with pytest.raises(ConfigError, match="is a directory"):
        load(tmp_path)


def test_an_unreadable_file(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text("")
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        with pytest.raises(ConfigError, match=r"the user \S+ may not read it; run chmod 644 on it"):
            load(path)
    finally:
        os.seteuid(user)


def test_a_file_without_end():
    with pytest.raises(ConfigError, match="larger than 1 MiB"):
        load(Path("/dev/zero"))


def test_relative_paths_are_seen_from_the_files_folder(tmp_path, monkeypatch):
    path = tmp_path / "a.toml"
    path.write_text('[hsm.a]\nmodule = "lib/m.so"\n')
    monkeypatch.chdir(tmp_path)
    assert load(path.relative_to(tmp_path)).hsm["a"].module == tmp_path / "lib/m.so"


# Documents of the right shape with anything in them, so that the search gets past the first check.
KEYS = st.text(max_size=4) | st.sampled_from(
    [
        "hsm",
        "vcenter",
        "feed",
        "status",
        "log",
        "state_dir",
        "a",
        "module",
        "slot",
        "reserve",
        "sessions",
        "env",
        "url",
        "username",
        "password_file",
        "hosts",
        "clusters",
        "listen",
        "level",
    ]
)


def toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{toml(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        safe = string.ascii_letters + string.digits + " ./:@[]"
        return '"' + "".join(c if c in safe else f"\\U{ord(c):08x}" for c in value) + '"'
    return repr(value)


SCALARS = (
    st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.sampled_from(["https://v", "http://[::1", "1MiB", "127.0.0.1:1", "/x", "info"])
)
TABLES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4)
)
DOCUMENTS = st.dictionaries(KEYS, TABLES, max_size=4).map(
    lambda tables: "".join(f"{toml(k)} = {toml(v)}\n" for k, v in tables.items()).encode()
)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | DOCUMENTS)
def test_anything_gives_a_configuration_or_one_line(document):
    try:
        config = parse(document)
    except ConfigError as error:
        assert str(error).isprintable()  # noqa: PT017
    else:
        assert isinstance(config, BridgeConfig)
