import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.kickstart.base64_text import Base64Error, decode


@given(st.binary(max_size=200))
def test_it_decodes_what_base64_encodes(raw):
    assert decode(base64.b64encode(raw)) == raw


@given(st.text(alphabet="AZaz09+/=- \n", max_size=12).map(str.encode))
def test_nothing_else_is_accepted(text):
    with contextlib.suppress(Base64Error):
        assert base64.b64encode(decode(text)) == text


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        (b"AAAA AAAA", 4, "white space"),
        (b"AAAA\nAAAA", 4, "white space"),
        (b"AAA-", 3, "URL alphabet"),
        (b'"AAAA"', 0, "quotation mark"),
        (b"AA==AAAA", 2, "equal sign before the end"),
        (b"AAAA\xff", 4, "0xff"),
        (b"AAAAA", 5, "breaks off"),
        (b"AAAAA===", 8, "breaks off"),
        (b"AAA", 3, "one equal sign"),
        (b"AA=", 2, "two equal signs"),
        (b"AAAA=", 4, "no equal sign"),
        (b"AB==", 1, "bits that belong to no byte"),
        (b"AAB=", 2, "bits that belong to no byte"),
    ],
)
def test_what_is_wrong_and_where(text, offset, words):
    with pytest.raises(Base64Error, match=words) as raised:
        decode(text)
    assert raised.value.offset == offset
