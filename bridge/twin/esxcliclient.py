"""`twin esxcli [--port P] --host H system entropyd get|set …`: asks a running twin's host."""

import argparse
import json
import ssl
import sys
import urllib.error
import urllib.parse
import urllib.request

from bridge.twin.failure import NoTwin, TwinError
from bridge.twin.runfile import RunningTwin, find

_TIMEOUT_SECONDS = 30.0


def add_esxcli_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options; everything after them goes to esxcli as it stands."""
    parser.add_argument(
        "--port", type=int, metavar="P", help="the twin's port, if several are running"
    )
    parser.add_argument("--host", required=True, metavar="H", help="identifier or name of the host")
    parser.add_argument(
        "--json", action="store_true", help="print exit code and output as one JSON document"
    )
    parser.add_argument(
        "command",
        nargs=argparse.REMAINDER,
        metavar="system entropyd get|set …",
        help="what esxcli does on that host",
    )


def run_esxcli_command(arguments: argparse.Namespace) -> int:
    """Print what esxcli prints on that host; return its exit code."""
    try:
        code, output = ask(find(arguments.port), arguments.host, arguments.command)
    except TwinError as error:
        sys.stderr.write(f"entropy-bridge twin: {error}\n")
        return error.exit_code
    if arguments.json:
        output = json.dumps({"exit_code": code, "output": output}) + "\n"
    (sys.stdout if code == 0 or arguments.json else sys.stderr).write(output)
    return code


def ask(twin: RunningTwin, host: str, words: list[str]) -> tuple[int, str]:
    """Return exit code and output of esxcli on a host of that twin."""
    request = urllib.request.Request(  # noqa: S310 - the URL is the twin's own
        f"{twin.url}/twin/hosts/{urllib.parse.quote(host, safe='')}/esxcli",
        data=json.dumps({"arguments": words}).encode(),
        headers={"Authorization": f"Bearer {twin.admin_token}"},
    )
    try:
        context = ssl.create_default_context(cafile=twin.ca_file) if twin.ca_file else None
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as reply:
            answer = json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 404:
                raise NoTwin(f"the twin has no host {host}") from None
            raise NoTwin(f"the twin refused: {error.code} {error.reason}") from None
    except OSError as error:
        raise NoTwin(f"the twin on port {twin.port} does not answer: {error}") from None
    return answer["exit_code"], answer["output"]


def main(arguments: list[str] | None = None) -> int:
    """Parse the arguments and ask."""
    parser = argparse.ArgumentParser(prog="python -m bridge.twin.esxcliclient")
    add_esxcli_arguments(parser)
    return run_esxcli_command(parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
