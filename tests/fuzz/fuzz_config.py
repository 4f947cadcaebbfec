"""Any bytes as a configuration: a BridgeConfig or a ConfigError comes out, and both can be shown.

What is in effect, written as TOML, is the same configuration.
"""

import sys

import atheris

from bridge.config import ConfigError, effective, parse, toml_text


def one_input(data: bytes) -> None:
    complaint = ""
    try:
        shown = effective(parse(data))
    except ConfigError as error:
        complaint = str(error)
    else:
        assert effective(parse(toml_text(shown).encode())) == shown
    assert complaint.isprintable()


if __name__ == "__main__":
    atheris.instrument_all()  # an import hook would miss what is installed in place
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
