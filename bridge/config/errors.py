"""What is wrong with a configuration, in one line that says what to do."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def one_line(text: str) -> str:
    """Make control characters and line ends visible, so that the text stays one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where (a dotted key, or empty) and what to do about it."""

    key: str
    text: str

    def __str__(self) -> str:
        """Return the key, if there is one, and the text."""
        return f"{self.key}: {self.text}" if self.key else self.text


class ConfigError(Exception):
    """A configuration that cannot be used; its text is one line and holds no secret."""

    def __init__(
        self, problems: Sequence[Problem] | Problem | str, path: Path | None = None
    ) -> None:
        if isinstance(problems, str):
            problems = Problem("", problems)
        if isinstance(problems, Problem):
            problems = (problems,)
        self.problems = tuple(problems)
        self.path = path
        super().__init__(self._text())

    def _text(self) -> str:
        text = str(self.problems[0])
        if self.path is not None:
            text = f"{self.path}: {text}"
        rest = self.problems[1:]
        if rest:
            also = ", ".join(problem.key or problem.text for problem in rest[:3])
            more = ", …" if len(rest) > 3 else ""
            plural = "s" if len(rest) > 1 else ""
            text += f" (and {len(rest)} more problem{plural}: {also}{more})"
        return one_line(text)

    def within(self, path: Path) -> "ConfigError":
        """Return the same problems, said of the file at `path`."""
        return ConfigError(self.problems, path)
