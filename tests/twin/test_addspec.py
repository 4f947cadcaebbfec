"""Strict Base64 in a strict shape: what the standard library writes is read, nothing else is."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.twin.addspec import decode_base64, read_add_body, read_part
from bridge.twin.errors import ApiError, ErrorType


@given(st.binary(min_size=1, max_size=600))
def test_reads_what_any_client_writes(raw):
    text = base64.b64encode(raw).decode()
    assert read_add_body(b'{"data":"' + text.encode() + b'"}') == raw
    assert read_add_body(json.dumps({"data": text}, indent=2).encode()) == raw
    assert read_add_body(json.dumps({"data": text}).replace("/", "\\/").encode()) == raw


@given(st.binary(max_size=40))
def test_base64_is_read_exactly_where_encoding_it_again_gives_the_same(text):
    try:
        raw = decode_base64(text)
    except ApiError as error:
        assert error.status == 400  # noqa: PT017
        canonical = None
    else:
        canonical = base64.b64encode(raw)
    try:
        loose = base64.b64decode(text, validate=True)
    except ValueError:
        loose = b""
    right = loose != b"" and base64.b64encode(loose) == text
    assert (canonical == text) == right


@pytest.mark.parametrize(
    "text",
    [
        "",
        "A",
        "AA",
        "AAA",
        "AAA=AAAA",
        "AA==AAAA",
        "=AAA",
        "A===",
        "====",
        "AAAA====",
        "AAAA=",
        "AB==",
        "AAB=",
        "AAAA\n",
        "AA\nAA",
        "AA AA",
        " AAAA",
        "AA-_",
        "AAAé",
        "AAAA\x00",
    ],
)
def test_refuses_loose_base64(text):
    with pytest.raises(ApiError) as caught:
        read_add_body(json.dumps({"data": text}).encode())
    assert caught.value.error_type is ErrorType.INVALID_ARGUMENT
    with pytest.raises(ApiError):
        read_add_body(b'{"data":"' + text.encode() + b'"}')


@pytest.mark.parametrize(
    ("body", "error_type"),
    [
        (b"", ErrorType.INVALID_ARGUMENT),
        (b"{}", ErrorType.INVALID_ARGUMENT),
        (b"[]", ErrorType.INVALID_ARGUMENT),
        (b"null", ErrorType.INVALID_ARGUMENT),
        (b'"AAAA"', ErrorType.INVALID_ARGUMENT),
        (b'{"data":null}', ErrorType.INVALID_ARGUMENT),
        (b'{"data":1}', ErrorType.INVALID_ARGUMENT),
        (b'{"data":{"data":"AAAA"}}', ErrorType.INVALID_ARGUMENT),
        (b'{"data":"AAAA","data":"AAAA"}', ErrorType.INVALID_ARGUMENT),
        (b'{"data":"AAAA","more":1}', ErrorType.UNEXPECTED_INPUT),
        (b'{"more":"","data":"AAAA"}', ErrorType.UNEXPECTED_INPUT),
        (b'{"spec":{"data":"AAAA"}}', ErrorType.UNEXPECTED_INPUT),
        (b'{"data":"AAAA"', ErrorType.INVALID_ARGUMENT),
        (b'{"data":"AAAA"}}', ErrorType.INVALID_ARGUMENT),
        (b'{"data":"AAAA"}\xff', ErrorType.INVALID_ARGUMENT),
        (b'\xef\xbb\xbf{"data":"AAAA"}', ErrorType.INVALID_ARGUMENT),
        (b"[" * 100_000, ErrorType.INVALID_ARGUMENT),
    ],
)
def test_refuses_other_shapes(body, error_type):
    with pytest.raises(ApiError) as caught:
        read_add_body(body)
    assert caught.value.error_type is error_type
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("body", "raw"),
    [
        (b"", b""),
        (b'{"da', b""),
        (b'{"data":"', b""),
        (b'{"data":"AAA', b""),
        (b'{"data":"AAECAw', b"\x00\x01\x02"),
        (b'{"data":"AAECAw==', b"\x00\x01\x02\x03"),
        (b'{"data":"AAECAw==","x":', b"\x00\x01\x02\x03"),
        (b'{"data":"AA\xff', b""),
    ],
)
def test_tells_what_it_can_of_a_body_that_broke_off(body, raw):
    assert read_part(body) == raw
