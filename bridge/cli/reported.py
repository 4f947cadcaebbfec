"""What stops a command that speaks to HSMs and vCenters, as one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bridge.cli.errors import Code, CommandError
from bridge.config import ConfigError
from bridge.source.errors import SourceError, SourceMisconfigured
from bridge.telemetry import log
from bridge.vcenter.errors import VCenterError


@contextmanager
def reported(path: Path) -> Iterator[None]:
    """Turn the errors of both sides into CommandError; `path` is the configuration's.

    What they log on the way would say it twice, so it is dropped.
    """
    log.silence()
    try:
        yield
    except ConfigError as error:
        raise error.within(path) from None
    except SourceMisconfigured as error:
        raise CommandError(str(error), Code.USAGE) from None
    except (SourceError, VCenterError) as error:
        raise CommandError(str(error)) from None
