import json
import tomllib

import pytest

DOCUMENT = """\
[hsm.luna]
module = "/m.so"
pin_file = "/etc/entropy-bridge/pin"
[vcenter.a]
url = "https://v"
username = "u"
password_file = "/etc/entropy-bridge/password"
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "bridge.toml"
    path.write_text(DOCUMENT)
    return path


def test_the_schema_is_json(command):
    run = command("config", "schema")
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out)["properties"]["hsm"]


def test_what_is_in_effect(command, path):
    shown = command("config", "show", "--config", path)
    assert (shown.code, shown.err) == (0, "")
    assert tomllib.loads(shown.out)["hsm"]["luna"]["reserve"] == "2MiB"
    run = command("config", "show", "--config", path, "--json")
    assert json.loads(run.out) == tomllib.loads(shown.out)


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("[hsm.a]\nmodul = 'x'\n", "hsm.a.modul: is not a setting; did you mean module?"),
        ("[hsm.a\n", "is not valid TOML: "),
        ("[hsm.a]\nmodule = 'x'\nreserve = '1KiB'\n", "hsm.a.reserve: is too small"),
        ("[vcenter.a]\npassword = 'hunter2'\n", "secrets do not belong in this file"),
        ("\0", "is not valid TOML: "),
    ],
)
def test_a_wrong_file(command, path, document, text):
    path.write_text(document)
    run = command("config", "show", "--config", path)
    assert run.error.startswith(f"{path}: ")
    assert text in run.error
    assert "hunter2" not in run.err
    assert (run.code, run.out) == (2, "")


def test_a_missing_file(command, tmp_path):
    run = command("config", "show", "--config", tmp_path / "none\nsuch.toml")
    assert "there is no such file" in run.error
    assert run.code == 2


def test_a_directory(command, tmp_path):
    assert "is a directory" in command("config", "show", "--config", tmp_path).error
