"""The REST face keeps to its own OpenAPI document: schemathesis asks, in good faith and in bad."""

import base64
from collections import Counter

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bridge.twin.openapi import openapi_document
from bridge.twin.readings import Readings
from tests.support.twin import TwinProcess

CONFORMANCE = [
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]
HOSTS = ("host-1001", "host-1002", "host-1003", "host-1004")
STATUSES = {  # every one that the document has and no fault rule is needed for
    "POST /api/session": {201, 401},
    "GET /api/session": {200, 401},
    "DELETE /api/session": {204, 401},
    "GET /api/vcenter/host": {200, 400, 401},
    "GET /api/vcenter/cluster": {200, 400, 401},
    "GET /api/vcenter/folder": {200, 400, 401},
    "GET /api/vcenter/datacenter": {200, 400, 401},
    "GET /api/vcenter/host/{host}/entropy/external-pool": {200, 401, 404, 500, 503},
    "POST /api/vcenter/host/{host}/entropy/external-pool": {200, 400, 401, 404, 415, 500, 503},
}

config = SchemathesisConfig.from_dict(
    {
        "checks": {
            # what a host that does not answer or takes nothing is answered with is documented
            "not_a_server_error": {"enabled": False},
            "positive_data_acceptance": {"expected-statuses": [200, 201, 204, 404, 500, 503]},
        },
        "generation": {"with-security-parameters": False},  # every request has a real one
    }
)
schema = schemathesis.openapi.from_dict(openapi_document(Readings()), config=config)
seen: Counter[tuple[str, int]] = Counter()
turns: Counter[tuple[str, object]] = Counter()


@pytest.fixture(scope="module")
def twin():
    with TwinProcess(
        *("--hosts", 4, "--disabled-hosts", 1, "--drain-bytes-per-second", 0),
        *("--max-sessions-per-user", 1_000_000, "--reading", "cache-resize=breaks"),
    ) as twin:
        twin.change_host("host-1002", connection_state="NOT_RESPONDING")
        twin.esxcli("host-1003", "system", "entropyd", "set", "--memory-cache-size=600")
        yield twin


class Client:
    """Keeps a connection and a session; both with the real credentials."""

    def __init__(self, twin):
        self.twin = twin
        self.http = requests.Session()
        self.http.verify = str(twin.ca_file)
        self.http.trust_env = False
        self.where = {
            "base_url": twin.url,
            "session": self.http,
            "verify": self.http.verify,
            "timeout": 20,
        }
        pair = base64.b64encode(f"{twin.username}:{twin.password}".encode()).decode()
        self._basic = {"Authorization": f"Basic {pair}"}
        self._token = self.login()

    def login(self):
        reply = self.http.post(self.twin.url + "/api/session", headers=self._basic)
        return {"vmware-api-session-id": reply.json()}

    def headers(self, name):
        if name == "POST /api/session":
            return self._basic
        return self.login() if name == "DELETE /api/session" else self._token


@pytest.fixture(scope="module")
def client(twin):
    client = Client(twin)
    with client.http:
        yield client


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(case, client):
    name = f"{case.operation.method.upper()} {case.operation.path}"
    if "host" in case.path_parameters:
        choose_host(name, case)
    if not seen[name, 401]:
        refused = case.call(**client.where, headers={})
        case.validate_response(refused, checks=CONFORMANCE)
        seen[name, refused.status_code] += 1
    response = case.call_and_validate(**client.where, headers=client.headers(name))
    assert "The twin itself failed" not in response.text
    seen[name, response.status_code] += 1


def choose_host(name, case):
    """Ask the hosts in turn, for an identifier at random is never a host's; now and then none."""
    kind = name, case.meta.generation.mode
    turns[kind] += 1
    if turns[kind] % (len(HOSTS) + 1):
        case.path_parameters["host"] = HOSTS[turns[kind] % len(HOSTS)]


def test_the_document_is_served_to_anybody(client):
    reply = client.http.get(client.twin.url + "/twin/openapi.json")
    assert (reply.status_code, reply.headers["Content-Type"][:16]) == (200, "application/json")
    assert reply.json() == openapi_document(Readings())


def test_what_the_twin_reads_otherwise_is_documented_otherwise():
    readings = Readings().choose("disabled-fields=null").choose("empty-addition=accepted")
    paths = openapi_document(readings)["paths"]
    pool = paths["/api/vcenter/host/{host}/entropy/external-pool"]
    answer = pool["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    disabled = answer["oneOf"][1]
    assert "capacity" in disabled["required"]
    assert disabled["properties"]["capacity"] == {"type": "null"}
    body = pool["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["data"]["minLength"] == 0


def test_it_was_asked_enough():
    if {operation for operation, _ in seen} != STATUSES.keys():
        pytest.skip("not every operation was asked")
    missing = {
        name: wanted - {status for operation, status in seen if operation == name}
        for name, wanted in STATUSES.items()
    }
    assert {k: v for k, v in missing.items() if v} == {}
