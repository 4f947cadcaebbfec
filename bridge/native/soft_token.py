"""Where the soft token is."""

from importlib.util import find_spec
from pathlib import Path


def softtoken_path() -> Path:
    """Return the PKCS#11 module that ships with the package: getrandom, not an HSM."""
    spec = find_spec("bridge.native._native")
    if spec is None or spec.origin is None:
        raise RuntimeError("the native library is missing: install the package")
    return Path(spec.origin).with_name("softtoken.so")
