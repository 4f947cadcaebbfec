"""Base64 as strict as an installer might be: RFC 4648 section 4, padded, no white space."""

from __future__ import annotations

import binascii
import re

_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")


class Base64Error(ValueError):
    """Not strict Base64; `offset` is where in the text, from 0. Tells nothing of the content."""

    def __init__(self, offset: int, text: str) -> None:
        self.offset = offset
        super().__init__(text)


def decode(text: bytes) -> bytes:
    """Decode a whole text; Base64Error says what is wrong and where."""
    body = text.rstrip(b"=")
    foreign = _FOREIGN.search(body)
    if foreign is not None:
        raise Base64Error(foreign.start(), _complaint(foreign[0]))
    padding = -len(body) % 4
    if padding == 3:
        raise Base64Error(len(text), "the text breaks off: four characters make three bytes")
    if len(text) - len(body) != padding:
        raise Base64Error(len(body), f"it must end with {_equal_signs(padding)} here")
    raw = binascii.a2b_base64(text)
    tail = body[-(len(body) % 4) :] if padding else b""
    if tail and binascii.b2a_base64(raw[-(len(raw) % 3) :], newline=False).rstrip(b"=") != tail:
        raise Base64Error(len(body) - 1, "the last character has bits that belong to no byte")
    return raw


def _equal_signs(count: int) -> str:
    return ("no equal sign", "one equal sign", "two equal signs")[count]


def _complaint(character: bytes) -> str:
    if character in b"-_":
        return "a character of the URL alphabet; the standard one has + and / instead of - and _"
    if character == b"=":
        return "an equal sign before the end"
    if character in b" \t\r\n\v\f":
        return "white space inside the Base64 text; it must be one word"
    if character in b"\"'":
        return "a quotation mark; write the Base64 text bare"
    return f"a byte (0x{character[0]:02x}) that Base64 does not have"
