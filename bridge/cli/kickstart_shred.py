"""`entropy-bridge kickstart shred`: used payloads, destroyed."""

import argparse
from pathlib import Path

from bridge.cli.errors import Code
from bridge.cli.output import print_error, print_json
from bridge.kickstart.errors import KickstartError
from bridge.kickstart.shred import Shredded, shred


def shred_files(arguments: argparse.Namespace) -> int:
    """Destroy one after the other, and say what may be left; 1 if one of them is still there.

    One that cannot be destroyed is no reason to leave the others where they are.
    """
    documents = []
    n_destroyed = 0
    for path in arguments.files:
        try:
            shredded = shred(path, anything=arguments.force)
        except KickstartError as error:
            documents.append(_document(path, None, str(error)))
            print_error(str(error))
            continue
        n_destroyed += 1
        documents.append(_document(path, shredded, None))
        if not arguments.json:
            print(f"{path}: overwritten and removed; {shredded.remains}", flush=True)
    if arguments.json:
        print_json(documents)
    elif n_destroyed:
        print("copies elsewhere are untouched: installation server, image, stick, backup, snapshot")
    return Code.OK if n_destroyed == len(documents) else Code.FAILURE


def _document(path: Path, shredded: Shredded | None, error: str | None) -> dict[str, object]:
    return {
        "file": str(path),
        "bytes": None if shredded is None else shredded.n_bytes,
        "file_system": None if shredded is None else shredded.file_system,
        "remains": None if shredded is None else shredded.remains,
        "error": error,
    }
