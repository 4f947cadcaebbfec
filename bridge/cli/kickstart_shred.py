"""`entropy-bridge kickstart shred`: used payloads, destroyed."""

import argparse

from bridge.cli.errors import Code
from bridge.cli.output import print_json
from bridge.kickstart.shred import shred


def shred_files(arguments: argparse.Namespace) -> int:
    """Destroy one after the other, and say what may be left."""
    done = []
    for path in arguments.files:
        shredded = shred(path, anything=arguments.force)
        done.append(
            {
                "file": str(path),
                "bytes": shredded.n_bytes,
                "file_system": shredded.file_system,
                "remains": shredded.remains,
            }
        )
        if not arguments.json:
            print(f"{path}: overwritten and removed; {shredded.remains}")
    if arguments.json:
        print_json(done)
    else:
        print("copies elsewhere are untouched: installation server, image, stick, backup, snapshot")
    return Code.OK
