import json
from pathlib import Path

from bridge.config import BridgeConfig, HsmConfig, effective, json_schema, parse, toml_text


def test_what_is_in_effect_reads_back_as_the_same_configuration(document):
    config = parse(
        document.encode() + b'[hsm.b]\nmodule = "/m \\"x\\" \\u007f\\\\.so"\nreserve = 300000\n'
        b'env = { A = "b" }\n[hsm."c.d"]\nmodule = "/m.so"\nmax_bytes_per_second = "1.5MB"\n',
        folder=Path("/etc"),
    )
    assert parse(toml_text(effective(config)).encode()) == config
    assert json.loads(json.dumps(effective(config)))["hsm"]["luna"]["reserve"] == "2MiB"


def test_what_is_in_effect_has_the_defaults_and_no_name():
    shown = effective(parse(b'[hsm.a]\nmodule = "/m.so"\n'))
    assert shown["hsm"]["a"]["sessions"] == 2
    assert "name" not in shown["hsm"]["a"]
    assert shown["feed"]["refill_below"] == 0.9


def test_secrets_in_a_modules_environment_do_not_show():
    hsm = HsmConfig(name="a", module=Path("/m.so"), env={"HSM_PASSWORD": "hunter2", "CONF": "/c"})
    shown = effective(BridgeConfig(hsm={"a": hsm}))
    assert shown["hsm"]["a"]["env"] == {"HSM_PASSWORD": "(not shown)", "CONF": "/c"}
    assert "hunter2" not in repr(hsm)


def test_the_schema_names_every_setting_and_no_other():
    schema = json_schema()
    hsm = schema["$defs"]["HsmConfig"]
    assert set(hsm["properties"]) == set(HsmConfig.model_fields) - {"name"}
    assert hsm["required"] == ["module"]
    assert hsm["additionalProperties"] is False
    assert {"type": "string"}.items() <= hsm["properties"]["reserve"]["anyOf"][1].items()
