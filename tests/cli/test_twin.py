import json
import signal
import subprocess
import sys

from tests.support.twin import TwinProcess


def test_serve_says_how_to_reach_it_and_ends_when_told():
    process = subprocess.Popen(
        [sys.executable, "-m", "bridge.cli", "twin", "serve", "--hosts", "3", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        address = json.loads(process.stdout.readline())
        assert address["url"].startswith("https://127.0.0.1:")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
        process.wait()


def test_esxcli_speaks_to_a_running_twin(command):
    with TwinProcess("--hosts", 1) as twin:
        port = twin.url.rsplit(":", 1)[1]
        words = ("twin", "esxcli", "--port", port, "--host", "host-1001", "system", "entropyd")
        assert command(*words, "set", "--memory-cache-low-watermark=30").code == 0
        run = command(*words, "get")
        shown = command(*words[:2], "--json", *words[2:], "get")
        refused = command(*words[:2], "--json", *words[2:], "put")
    assert (run.code, run.err) == (0, "")
    assert json.loads(shown.out) == {"exit_code": 0, "output": run.out}
    assert (refused.code, json.loads(refused.out)["exit_code"]) == (1, 1)
    assert "Memory Cache Low Watermark Percentage: 30\n" in run.out
