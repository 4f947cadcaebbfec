"""vAPI values as they travel in JSON: structures, optionals, secrets, errors, and back."""

from collections.abc import Mapping

from bridge.twin.errors import ApiError, invalid_argument, unexpected_input

Json = Mapping[str, object]


def structure(name: str, fields: Json) -> Json:
    """Return a structure of that type name."""
    return {"STRUCTURE": {name: dict(fields)}}


def optional(value: object) -> Json:
    """Return an optional value; None is one that is not set."""
    return {"OPTIONAL": value}


def secret(value: str) -> Json:
    """Return a value that clients do not show."""
    return {"SECRET": value}


def error(it: ApiError) -> Json:
    """Return an error structure, of the type that its error_type names."""
    fields: dict[str, object] = {
        "messages": [
            structure(
                "com.vmware.vapi.std.localizable_message",
                {
                    "id": it.message_id,
                    "default_message": it.message,
                    "args": list(it.message_args),
                    "params": optional(None),
                    "localized": optional(None),
                },
            )
        ],
        "data": optional(None),
        "error_type": optional(it.error_type),
    }
    if it.challenge is not None:
        fields["challenge"] = optional(it.challenge)
    return {"ERROR": {f"com.vmware.vapi.std.errors.{it.error_type.lower()}": fields}}


class Fields:
    """The fields of a structure that a client sent; finish() refuses those not asked for."""

    def __init__(self, value: object, name: str) -> None:
        fields = _unwrap(_unwrap(value, "STRUCTURE"), name)
        if not isinstance(fields, dict):
            raise invalid_argument(f"The structure {name} has no fields.", name)
        self._fields: dict[str, object] = fields
        self._known: set[str] = set()

    def take(self, name: str) -> object:
        """Return a field as it stands, or None if it is absent."""
        self._known.add(name)
        return self._fields.get(name)

    def optional(self, name: str) -> object:
        """Return the value of an optional field, or None if it is absent or not set."""
        value = self.take(name)
        return None if value is None else _unwrap(value, "OPTIONAL")

    def text(self, name: str) -> str:
        """Return a field that must be a string."""
        return _text(self.take(name), name)

    def optional_text(self, name: str) -> str | None:
        """Return an optional string."""
        value = self.optional(name)
        return None if value is None else _text(value, name)

    def optional_boolean(self, name: str) -> bool | None:
        """Return an optional boolean."""
        value = self.optional(name)
        if value is not None and not isinstance(value, bool):
            raise invalid_argument(f"The field {name} must be true or false.", name)
        return value

    def optional_texts(self, name: str) -> tuple[str, ...]:
        """Return an optional list of strings; empty if it is not set."""
        value = self.optional(name)
        if value is None:
            return ()
        if not isinstance(value, list):
            raise invalid_argument(f"The field {name} must be a list.", name)
        return tuple(_text(it, name) for it in value)

    def binary(self, name: str) -> str:
        """Return the Base64 text of a field that must be binary."""
        return _text(_unwrap(self.take(name), "BINARY"), name)

    def finish(self) -> None:
        """Refuse fields that nobody asked for."""
        for name in self._fields:
            if name not in self._known:
                raise unexpected_input(f"The field {name} is not known.", name)


def _unwrap(value: object, kind: str) -> object:
    if not isinstance(value, dict) or set(value) != {kind}:
        raise invalid_argument(f"A value of kind {kind} was expected.", kind)
    inner: object = value[kind]
    return inner


def _text(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise invalid_argument(f"The field {name} must be a string.", name)
    return value
