"""The kinds of value that settings have: sizes, paths, names, addresses, URLs."""

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationInfo,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB

_UNITS = {"": 1, "B": 1, "KIB": KIB, "MIB": MIB, "GIB": GIB, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,6}))?\s*([A-Za-z]{0,3})")


def size_text(n_bytes: int) -> str:
    """Write a size the way that a configuration does: 2MiB, 256KiB, 12288."""
    for unit, factor in (("GiB", GIB), ("MiB", MIB), ("KiB", KIB)):
        if n_bytes >= factor and n_bytes % factor == 0:
            return f"{n_bytes // factor}{unit}"
    return str(n_bytes)


def parse_size(value: object) -> int:
    """Read 2097152, "2MiB", "1.5 MiB" or "64kB" as bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) and value.isascii() else None
    factor = _UNITS.get(match[3].upper()) if match else None
    if match is None or factor is None:
        raise ValueError('is not a size; write bytes or a text such as "256KiB" or "2MiB"')
    fraction = match[2] or ""
    return int(match[1] + fraction) * factor // int(10 ** len(fraction))


@dataclass(frozen=True)
class Size:
    """Annotates an int as a size in bytes, written as a number or as "2MiB"."""

    at_least: int
    at_most: int

    def _check(self, value: object) -> int:
        n_bytes = parse_size(value)
        if n_bytes < self.at_least:
            raise ValueError(f"is too small; use at least {size_text(self.at_least)}")
        if n_bytes > self.at_most:
            raise ValueError(f"is too large; use at most {size_text(self.at_most)}")
        return n_bytes

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Validate from number or text; in JSON it is text."""
        return core_schema.no_info_plain_validator_function(
            self._check,
            serialization=core_schema.plain_serializer_function_ser_schema(
                size_text, when_used="json"
            ),
        )

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Say both ways of writing a size."""
        return {
            "anyOf": [
                {"type": "integer", "minimum": self.at_least, "maximum": self.at_most},
                {"type": "string", "examples": [size_text(self.at_least), size_text(self.at_most)]},
            ]
        }


def _no_control_characters(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds control characters; remove them, and write a backslash twice")
    return text


def _path(value: str, info: ValidationInfo) -> Path:
    if not value or "\0" in value:
        raise ValueError("is not a path")
    folder = (info.context or {}).get("folder")
    return Path(folder, value) if folder is not None else Path(value)


def _path_input(value: object, info: ValidationInfo) -> object:
    return _path(value, info) if isinstance(value, str) else value


# A path; a relative one is seen from the folder of the configuration file.
FilePath = Annotated[Path, BeforeValidator(_path_input, json_schema_input_type=str)]

# The name of a table: it appears in metrics, in the log and in file names.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]

# A systemd credential: the name of a file in $CREDENTIALS_DIRECTORY.
CredentialName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_@:-][A-Za-z0-9._@:-]{0,254}$")]

Text = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_no_control_characters)]


def _list_input(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


# Names or ids; an empty list is refused because it would read as "none" and mean "all".
Names = Annotated[tuple[Text, ...], BeforeValidator(_list_input, json_schema_input_type=list[str])]


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address never leaves this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_host(text: str) -> bool:
    try:
        text.encode("idna")  # as the resolver will have it; raises for what no name can be
    except UnicodeError:
        return False
    if ":" in text or re.fullmatch(r"[\d.]*\d", text):
        try:
            ipaddress.ip_address(text)
        except ValueError:
            return False
    return re.fullmatch(r"[\w.:-]+", text) is not None


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        port, host = parts.port, parts.hostname or ""
    except ValueError as error:
        raise ValueError("is not a URL; write https://vcenter.example.com") from error
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user name; use username and password_file or password_credential")
    if parts.scheme not in {"http", "https"} or port == 0 or not _is_host(host):
        raise ValueError("is not a URL of a vCenter; write https://vcenter.example.com")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("has something behind the host name; write only https://HOST or HOST:PORT")
    if parts.scheme == "http" and not is_loopback(host):
        raise ValueError("is not encrypted; write https://, TLS is left out only on loopback")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port is not None else "")


# https://HOST[:PORT], normalised; http only for loopback.
Url = Annotated[Text, AfterValidator(_url)]


def split_address(text: str) -> tuple[str, int]:
    """Split HOST:PORT or [IPV6]:PORT; ValueError says how to write it."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        colon = ""
    number = int(port) if port.isascii() and port.isdigit() and len(port) <= 5 else -1
    if not colon or not re.fullmatch(r"[A-Za-z0-9_.:-]+", host) or not 0 <= number <= 65535:
        raise ValueError('is not an address; write HOST:PORT such as "127.0.0.1:9464"')
    return host, number


def _address(text: str) -> str:
    split_address(text)
    return text


Address = Annotated[Text, AfterValidator(_address)]
