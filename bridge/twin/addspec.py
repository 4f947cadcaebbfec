"""Reads the body of an addition as strictly as a wire format can be read.

The body is one JSON object with the one field `data`: Base64 of the standard alphabet, padded,
not wrapped, canonical (no stray bits in the last character) and not empty.
"""

import binascii
import json

from bridge.twin.errors import ApiError, invalid_argument, unexpected_input

_PREFIX = b'{"data":"'
_SUFFIX = b'"}'


def read_add_body(body: bytes, *, empty_is_fine: bool = False) -> bytes:
    """Return the raw bytes of a body, or raise what vCenter answers to a malformed one."""
    if body.startswith(_PREFIX) and body.endswith(_SUFFIX):
        # What decodes strictly has no quote, backslash or control character in it, so that
        # this is the same document that a JSON parser would have found.
        text = memoryview(body)[len(_PREFIX) : -len(_SUFFIX)]
        try:
            return decode_base64(text, empty_is_fine=empty_is_fine)
        except ApiError:
            pass
    return decode_base64(_parse(body), empty_is_fine=empty_is_fine)


def decode_base64(text: bytes | memoryview, *, empty_is_fine: bool = False) -> bytes:
    """Return what the text encodes; any deviation from strict Base64 is an invalid argument."""
    if not len(text):
        if empty_is_fine:
            return b""
        raise invalid_argument("The data is empty.", "data")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error as error:
        raise invalid_argument(f"The data is not Base64: {error}.", "data") from None
    if len(text) % 4 or len(text) // 4 != -(-len(raw) // 3):
        raise invalid_argument("The data is not padded Base64.", "data")
    tail = raw[len(raw) - (len(raw) % 3 or 3) :]
    if binascii.b2a_base64(tail, newline=False) != text[-4:]:
        raise invalid_argument("The data is not canonical Base64.", "data")
    return raw


def read_part(body: bytes) -> bytes:
    """Return the raw bytes of the front of a body that broke off, as far as they can be told."""
    if not body.startswith(_PREFIX):
        return b""
    text = body[len(_PREFIX) :].partition(b'"')[0]
    text = text[: len(text) // 4 * 4]
    try:
        return binascii.a2b_base64(text, strict_mode=True) if text else b""
    except binascii.Error:
        return b""


def _parse(body: bytes) -> bytes:
    try:
        pairs = json.loads(body.decode(), object_pairs_hook=_Pairs)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise invalid_argument("The body is not JSON.") from None
    if not isinstance(pairs, _Pairs):
        raise invalid_argument("The body is not a JSON object.")
    for name, _ in pairs:
        if name != "data":
            raise unexpected_input(f"The field {name} is not known.", str(name))
    if len(pairs) != 1:
        raise invalid_argument("The body must have the field data once.", "data")
    value = pairs[0][1]
    if not isinstance(value, str):
        raise invalid_argument("The field data must be a string.", "data")
    try:
        return value.encode("ascii")
    except UnicodeEncodeError:
        raise invalid_argument("The data is not Base64.", "data") from None


class _Pairs(list[tuple[str, object]]):
    """A JSON object with its fields as they stand, twice where they stand twice."""
