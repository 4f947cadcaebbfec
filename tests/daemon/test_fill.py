"""`fill` when the machine is suspended in between: every host is full, and no byte went twice."""

import pytest

from bridge.config import parse
from bridge.daemon.fill import fill
from bridge.source.supervisor import Source
from bridge.source.take import StaleTake, Take
from bridge.twin.recorder import Recording
from tests.daemon.conftest import configuration
from tests.support.counting import Ledger
from tests.support.twin import TwinProcess

HOSTS = 4


class Suspension:
    """Suspends the machine, as far as sources see, just before the third request is sent."""

    def __init__(self, monkeypatch):
        self.now = []
        self.n_spends = self.n_stale = 0
        init, spend = Source.__init__, Take.spend

        def made(source, *arguments, **settings):
            init(
                source, *arguments, suspended=lambda: bool(self.now and self.now.pop()), **settings
            )

        def spent(take):
            self.n_spends += 1
            if self.n_spends == 3:
                self.now.append(True)
            try:
                spend(take)
            except StaleTake:
                self.n_stale += 1
                raise

        monkeypatch.setattr(Source, "__init__", made)
        monkeypatch.setattr(Take, "spend", spent)


@pytest.mark.parametrize("fast_path", [True, False])
async def test_what_was_purged_is_made_up_for(test_token_table, tmp_path, monkeypatch, fast_path):
    suspension = Suspension(monkeypatch)
    record = tmp_path / "record"
    with TwinProcess("--hosts", HOSTS, "--initial-level", 0.1, "--record", record) as twin:
        text = configuration(test_token_table, twin, fast_path=fast_path)
        done = await fill(parse(text.encode()), lambda _progress: None)
        assert suspension.n_stale >= 1
        assert [host.error for host in done.hosts] == [""] * HOSTS
        assert all(it.row.available_bytes > 0.95 * it.row.capacity_bytes for it in done.hosts)
    ledger, recording = Ledger(), Recording(record)
    for host in recording.hosts():
        for entry in recording.additions(host):
            ledger.add(host, recording.raw(entry))
    assert ledger.verify().n_bytes == done.sent_bytes
