"""Pieces of HTML that the status page is made of; whoever makes a table's cells escapes them."""

from collections.abc import Iterable
from html import escape


def badge(kind: str, text: str) -> str:
    """Return a word on a ground that says how good it is: good, warn or bad."""
    return f'<span class="badge {kind}">{escape(text)}</span>'


def table(head: Iterable[str], rows: Iterable[list[str]]) -> str:
    """Return a table; a head that begins with "n:" is of numbers, and rows are whole cells."""
    cells = "".join(
        f'<th class="n">{escape(text[2:])}</th>' if text.startswith("n:") else f"<th>{text}</th>"
        for text in head
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll"><table><thead><tr>{cells}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )
