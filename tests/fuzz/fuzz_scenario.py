"""Any bytes as a scenario of a rehearsal: a Scenario or a ConfigError comes out."""

import sys

import atheris

from bridge.config import ConfigError
from bridge.twin.scenario_file import parse_scenario


def one_input(data: bytes) -> None:
    complaint = ""
    try:
        parse_scenario(data)
    except ConfigError as error:
        complaint = str(error)
    assert complaint.isprintable()


if __name__ == "__main__":
    atheris.instrument_all()  # an import hook would miss what is installed in place
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
