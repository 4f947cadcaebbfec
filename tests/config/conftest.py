import pytest

DOCUMENT = """\
[hsm.luna]
module = "/opt/vendor/libpkcs11.so"
token_label = "entropy"
pin_credential = "hsm-pin"

[vcenter.site-a]
url = "https://vcenter.example.com"
username = "svc-entropy@vsphere.local"
password_file = "password"
ca_file = "ca.pem"

[vcenter.site-a.hosts]
clusters = ["Prod-EAL4"]

[status]
listen = "127.0.0.1:9464"
"""


@pytest.fixture
def document():
    return DOCUMENT


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
