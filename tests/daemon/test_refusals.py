"""What `run` ends over: one line that says what to do, the right code, and nothing tried twice."""

import json
import resource
import socket
import subprocess
import sys

import pytest

from bridge.native import softtoken_path
from tests.daemon.conftest import configuration, vcenter_table
from tests.support.bridge import document
from tests.support.testtoken import LABEL, PIN, Trouble
from tests.support.twin import TwinProcess


def run(text, tmp_path, **settings):
    """Run the bridge to its end; its exit code and its error events or lines."""
    path = tmp_path / "bridge.toml"
    path.write_text(text)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "bridge.cli", "run", "--json", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **settings,
    )
    assert "Traceback" not in done.stderr
    lines = done.stderr.splitlines()
    events = [json.loads(line) for line in lines if line.startswith("{")]
    errors = [event["event"] for event in events if event["level"] == "error"]
    errors += [line for line in lines if not line.startswith("{")]
    return done.returncode, errors


@pytest.fixture
def pin_table(token, tmp_path):
    pin = tmp_path / "pin"
    pin.write_text("654321")
    pin.chmod(0o600)
    return {
        "module": token.module,
        "token_label": LABEL,
        "env": token.environment,
        "pin_file": pin,
    }


def test_a_refused_pin_ends_the_run_and_is_tried_once(pin_table, token, twin, tmp_path):
    code, errors = run(configuration(pin_table, twin), tmp_path)
    assert code == 77
    assert len(errors) == 1
    assert "PIN" in errors[0]
    assert "654321" not in errors[0]
    assert token.logins == 1


def test_an_address_that_is_taken_may_be_free_at_the_next_start(pin_table, token, twin, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, errors = run(configuration(pin_table, twin, port), tmp_path)
    assert code == 1  # neither 2 nor 77, which the unit does not restart
    assert len(errors) == 1
    assert errors[0].startswith(f"status.listen: cannot listen on 127.0.0.1:{port}: ")
    assert token.logins == 0


def test_with_a_state_directory_a_restart_does_not_try_it_again(pin_table, token, twin, tmp_path):
    state = tmp_path / "state"
    text = f'state_dir = "{state}"\n' + configuration(pin_table, twin)
    assert run(text, tmp_path)[0] == 77
    code, errors = run(text, tmp_path)
    assert code == 77
    assert "pin-refused.one" in errors[0]
    assert token.logins == 1
    next(state.iterdir()).unlink()
    assert run(text, tmp_path)[0] == 77
    assert token.logins == 2


def test_a_crash_in_the_login_counts_as_refused(pin_table, token, twin, tmp_path):
    token.trouble = Trouble.LOGIN_CRASHES
    code, errors = run(configuration(pin_table, twin), tmp_path)
    assert code == 77
    assert token.logins == 1
    assert len(errors) == 1


def test_a_refused_first_login_ends_the_run(token, twin, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password")
    table = {"module": token.module, "token_label": LABEL, "env": token.environment}
    code, errors = run(configuration(table, twin, password_file=wrong), tmp_path)
    assert code == 77
    assert len(errors) == 1
    assert "not the password" not in errors[0]
    assert "password" in errors[0]


def test_an_ambiguous_label_is_refused_with_what_is_there(token, twin, tmp_path):
    token.slots = 2
    table = {"module": token.module, "token_label": LABEL, "env": token.environment}
    code, errors = run(configuration(table, twin), tmp_path)
    assert code == 2
    assert len(errors) == 1
    assert "serial" in errors[0]


def test_what_is_no_module_is_refused(twin, tmp_path):
    text = tmp_path / "module.so"
    text.write_text("not a library")
    code, errors = run(configuration({"module": text}, twin), tmp_path)
    assert code == 2
    assert len(errors) == 1
    assert str(text) in errors[0]


def test_the_soft_token_is_refused_unless_it_is_allowed(twin, tmp_path):
    code, errors = run(configuration({"module": softtoken_path()}, twin), tmp_path)
    assert code == 2
    assert "not an HSM" in errors[0]


def without_lockable_memory():
    """As an ordinary user: no CAP_IPC_LOCK, and a limit that the ring does not fit in."""
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20))


@pytest.fixture
def unprivileged():
    """How to run a command without CAP_IPC_LOCK."""
    return ["setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock"]


def test_too_little_lockable_memory_is_one_line(token, twin, tmp_path, unprivileged):
    path = tmp_path / "bridge.toml"
    table = {"module": token.module, "token_label": LABEL, "env": token.environment}
    path.write_text(configuration(table, twin))
    done = subprocess.run(
        [*unprivileged, sys.executable, "-m", "bridge.cli", "run", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=without_lockable_memory,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "LimitMEMLOCK" in done.stderr
    assert sum("rror" in line for line in done.stderr.splitlines()) == 1


def test_an_untrusted_certificate_is_named_and_nothing_is_sent(token, twin, tmp_path):
    table = {"module": token.module, "token_label": LABEL, "env": token.environment}
    path = tmp_path / "bridge.toml"
    with TwinProcess("--hosts", 1) as other:
        text = document(hsm_one=table, vcenter_twin=vcenter_table(twin, ca_file=other.ca_file))
        path.write_text(text)
        done = subprocess.run(
            [sys.executable, "-m", "bridge.cli", "hosts", "--config", str(path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "ca_file" in done.stderr


def test_the_right_pin_is_accepted(pin_table, token, tmp_path, twin):
    (tmp_path / "pin").write_text(PIN + "\n")
    path = tmp_path / "bridge.toml"
    path.write_text(configuration(pin_table, twin))
    done = subprocess.run(
        [sys.executable, "-m", "bridge.cli", "check", "--config", str(path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert token.logins == 1
