"""SoftHSM2 with a token directory of its own."""

import os
import shutil
import subprocess
from pathlib import Path

PIN = "1234"
_MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
)


class SoftHsm:
    """Tokens in `directory`; `environment` makes the module find them."""

    def __init__(self, directory: Path) -> None:
        if shutil.which("softhsm2-util") is None:
            raise RuntimeError("softhsm2 is missing: install Debian's package softhsm2")
        self.module = next(Path(path) for path in _MODULES if Path(path).exists())
        tokens = directory / "tokens"
        tokens.mkdir(parents=True)
        configuration = directory / "softhsm2.conf"
        configuration.write_text(
            f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
        )
        self.environment = {"SOFTHSM2_CONF": str(configuration)}

    def add_token(self, label: str, pin: str = PIN) -> None:
        """Initialise one more token."""
        command = ["softhsm2-util", "--init-token", "--free", "--label", label]
        subprocess.run(
            [*command, "--pin", pin, "--so-pin", "12345678"],
            env=os.environ | self.environment,
            check=True,
            capture_output=True,
        )
