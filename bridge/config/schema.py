"""The configuration described: its JSON Schema, and what is in effect, without secrets."""

import json
import re

from bridge.config.models import BridgeConfig

REDACTED = "(not shown)"

_SECRET_NAME = re.compile(r"PASS|PIN|SECRET|TOKEN|KEY|CRED", re.IGNORECASE)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of the TOML file."""
    schema = BridgeConfig.model_json_schema()
    for model in ("HsmConfig", "VCenterConfig"):
        definition = schema["$defs"][model]
        del definition["properties"]["name"]
        definition["required"].remove("name")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def effective(config: BridgeConfig) -> dict[str, object]:
    """Return every setting in effect, defaults included, as JSON values and without secrets."""
    tables = config.model_dump(mode="json", exclude_none=True)
    for table in (*tables["hsm"].values(), *tables["vcenter"].values()):
        del table["name"]
        if "env" in table:
            table["env"] = {
                name: REDACTED if _SECRET_NAME.search(name) else value
                for name, value in table["env"].items()
            }
    return _without_empty(tables)


def toml_text(table: dict[str, object]) -> str:
    """Write nested tables of JSON values as TOML."""
    return "\n".join(_toml_lines(table, ())).lstrip("\n") + "\n"


def _without_empty(table: dict[str, object]) -> dict[str, object]:
    cleaned = {
        key: _without_empty(value) if isinstance(value, dict) else value
        for key, value in table.items()
    }
    return {key: value for key, value in cleaned.items() if value not in ({}, [])}


def _toml_lines(table: dict[str, object], path: tuple[str, ...]) -> list[str]:
    lines = [
        f"{_key(key)} = {_value(value)}"
        for key, value in table.items()
        if not isinstance(value, dict)
    ]
    if lines and path:
        lines = ["", f"[{'.'.join(map(_key, path))}]", *lines]
    for key, value in table.items():
        if isinstance(value, dict):
            lines += _toml_lines(value, (*path, key))
    return lines


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _value(key)


def _value(value: object) -> str:
    # JSON's texts, numbers, booleans and lists of these are TOML's too; DEL must be escaped there.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
