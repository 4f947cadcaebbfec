# SPDX-License-Identifier: Apache-2.0
"""Why a source ended for good; each a line that says what to do."""

from __future__ import annotations


class SourceError(Exception):
    """A source cannot go on."""


class SourceRefused(SourceError):
    """The token refused the PIN, or may have; it is not tried again."""


class SourceMisconfigured(SourceError):
    """Nothing that waiting would mend: wrong module, ambiguous token, no PIN, no locked memory."""


class SourceFailed(SourceError):
    """A one-shot source ended before it gave a byte; another attempt may go better."""
