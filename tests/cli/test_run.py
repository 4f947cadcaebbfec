"""`run` and `demo` as a user starts and ends them; what they do is tested with the daemon."""

import json
import signal
import subprocess
import sys

import pytest

from bridge.native import softtoken_path
from tests.support.twin import TwinProcess

HSM = f'[hsm.soft]\nmodule = "{softtoken_path()}"\nallow_soft_token = true\n'
VCENTER = """\
[vcenter.twin]
url = "https://127.0.0.1:1"
username = "u"
password_file = "password"
"""


@pytest.mark.parametrize(
    ("document", "text"),
    [
        ("", "no HSM is configured"),
        (HSM, "no vCenter is configured"),
        (HSM + VCENTER, "vcenter.twin.password_file: cannot read"),
        (HSM.replace("softtoken", "none") + VCENTER, "hsm.soft.module: "),
        (HSM + 'pin_credential = "pin"\n' + VCENTER, "$CREDENTIALS_DIRECTORY is not set"),
    ],
)
def test_what_cannot_run_is_one_line(command, tmp_path, document, text):
    path = tmp_path / "bridge.toml"
    path.write_text(document)
    run = command("run", "--config", path)
    assert run.error.startswith(f"{path}: ")
    assert text in run.error
    assert (run.code, run.out) == (2, "")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_feeds_until_it_is_told_to_stop(tmp_path, number):
    with TwinProcess("--hosts", 3) as twin:
        path = tmp_path / "bridge.toml"
        path.write_text(
            f'{HSM}[vcenter.twin]\nurl = "{twin.url}"\nusername = "{twin.username}"\n'
            f'password_file = "{twin.password_file}"\nca_file = "{twin.ca_file}"\n'
        )
        process = subprocess.Popen(
            [sys.executable, "-m", "bridge.cli", "run", "--json", "--config", path],
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            events = [json.loads(process.stderr.readline())]
            while events[-1]["event"] != "ready":
                events.append(json.loads(process.stderr.readline()))
            process.send_signal(number)
            _, rest = process.communicate(timeout=30)
        finally:
            process.kill()
            process.wait()
    events += [json.loads(line) for line in rest.splitlines()]
    assert process.returncode == 0
    assert events[-1]["event"] == "account"
    assert events[-1]["closes"] is True


def test_the_demo_feeds_every_host(command):
    run = command("demo", "--hosts", 5, "--until-fed", "--json")
    assert (run.code, run.err) == (0, "")
    assert json.loads(run.out)["hosts"] == 5


@pytest.mark.parametrize("words", [["--hosts", "0"], ["--seconds", "nan"], ["--port", "65536"]])
def test_wrong_words_for_the_demo(called, words):
    run = called("demo", *words)
    assert run.error.startswith(f"{words[0]} must be ")
    assert (run.code, run.out) == (2, "")
