"""What is wrong with a file, and where."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or with `is_warning` worth knowing; line and column count from 1.

    Line 0 is the file as a whole. Columns count bytes.
    """

    line: int
    column: int
    text: str
    is_warning: bool = False

    @property
    def place(self) -> str:
        """Return LINE:COLUMN, LINE, or nothing."""
        return ":".join(str(number) for number in (self.line, self.column) if number)

    def __str__(self) -> str:
        """Return the place in words, and the text."""
        return f"line {self.line}, column {self.column}: {self.text}" if self.line else self.text


def first_problem(findings: Sequence[Finding]) -> Finding | None:
    """Return the first finding that is no warning."""
    return next((finding for finding in findings if not finding.is_warning), None)
