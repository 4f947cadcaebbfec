"""The head of a request: its address, the headers that all have, and those that hold a secret."""

from base64 import b64encode
from functools import cached_property
from typing import Self

from multidict import CIMultiDict
from pydantic import SecretStr
from yarl import URL

COMMON = {
    "Accept": "application/json",
    "Accept-Encoding": "identity",
    "User-Agent": "entropy-bridge",
}


class Address:
    """Where a request goes to, with the beginning of its head, which is made once."""

    __slots__ = ("_heads", "url")

    def __init__(self, url: URL) -> None:
        self.url = url
        self._heads: dict[str, bytes] = {}

    def head(self, method: str) -> bytes:
        """Return the request line and the headers that hold no secret and no length."""
        head = self._heads.get(method)
        if head is None:
            lines = [
                f"{method} {self.url.raw_path_qs} HTTP/1.1",
                f"Host: {self.url.host_port_subcomponent}",
                *(f"{name}: {value}" for name, value in COMMON.items()),
            ]
            head = self._heads[method] = "".join(f"{line}\r\n" for line in lines).encode("ascii")
        return head


class SecretHeaders(CIMultiDict[str]):
    """Headers whose values do not show in a log or a traceback."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    __str__ = __repr__

    @classmethod
    def of_token(cls, token: str) -> Self:
        """Carry a session id."""
        return cls({"vmware-api-session-id": token})

    @classmethod
    def of_login(cls, username: str, password: SecretStr) -> Self:
        """Carry a user name and a password."""
        pair = f"{username}:{password.get_secret_value()}".encode()
        return cls({"Authorization": f"Basic {b64encode(pair).decode()}"})

    @cached_property
    def block(self) -> bytes:
        """The same as lines of a request's head."""
        return "".join(f"{name}: {value}\r\n" for name, value in self.items()).encode("latin-1")

    @property
    def token(self) -> str:
        """The session id."""
        return self["vmware-api-session-id"]
