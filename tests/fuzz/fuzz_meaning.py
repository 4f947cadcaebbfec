"""Any bytes as what vCenter says in a reply: its JSON, its error body, its Retry-After."""

import sys

import atheris

from bridge.vcenter.replies import (
    RETRY_AFTER_SECONDS_MAX,
    TEXT_CHARACTERS_MAX,
    MalformedError,
    Reply,
    error_body,
)


def one_input(data: bytes) -> None:
    """A line for each of two headers; the rest is the payload."""
    retry_after, _, rest = data.partition(b"\n")
    date, _, payload = rest.partition(b"\n")
    headers = {"Retry-After": retry_after.decode("latin-1"), "Date": date.decode("latin-1")}
    reply = Reply(503, payload, headers)
    seconds = reply.retry_after_seconds
    assert seconds is None or 0 <= seconds <= RETRY_AFTER_SECONDS_MAX
    body = error_body(payload)
    for text in (body.text, body.error_type or ""):
        assert text == "" or text.isprintable()
        assert len(text) <= TEXT_CHARACTERS_MAX
    complaint = ""
    try:
        reply.json()
    except MalformedError as error:
        complaint = str(error)
    assert complaint.isprintable()


if __name__ == "__main__":
    atheris.instrument_all()  # an import hook would miss what is installed in place
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
