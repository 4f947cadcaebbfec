"""Any bytes as a kickstart file: findings or an installation come out, and they agree."""

import sys

import atheris

from bridge.kickstart.errors import KickstartError
from bridge.kickstart.finding import first_problem
from bridge.kickstart.parse import examine, parse_kickstart
from bridge.kickstart.template import Template


def one_input(data: bytes) -> None:
    examined = examine(data)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    for finding in examined.findings:
        assert str(finding).isprintable()
        assert 0 <= finding.line <= lines
        assert 0 <= finding.column <= len(data) + 1
    complaints = []
    try:
        installation = parse_kickstart(data)
    except KickstartError as error:
        complaints.append(str(error))
    else:
        assert installation.sources == examined.sources
        assert installation.data == (examined.data or b"")
    assert len(complaints) == (first_problem(examined.findings) is not None)
    try:
        template = Template.of(data)
    except KickstartError as error:
        complaints.append(str(error))
    else:
        text = bytearray(b"QUJD" * 1000)
        assert bytes(text) in template.filled(8, text)
    assert all(complaint.isprintable() for complaint in complaints)


if __name__ == "__main__":
    atheris.instrument_all()  # an import hook would miss what is installed in place
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
