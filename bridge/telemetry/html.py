"""Pieces of HTML that the status page is made of; whoever makes a table's cells escapes them."""

from collections.abc import Iterable
from html import escape


def badge(kind: str, text: str) -> str:
    """Return a word on a ground that says how good it is: good, warn or bad."""
    return f'<span class="badge {kind}">{escape(text)}</span>'


def table(name: str, head: Iterable[str], rows: Iterable[list[str]]) -> str:
    """Return a table; a head that begins with "n:" is of numbers, and rows are whole cells.

    Where the window is narrower it is scrolled by itself, by keyboard too; `name` is what a screen
    reader calls it.
    """
    cells = "".join(
        f'<th scope="col" class="n">{escape(text[2:])}</th>'
        if text.startswith("n:")
        else f'<th scope="col">{escape(text)}</th>'
        for text in head
    )
    body = "".join(f"<tr>{''.join(row)}</tr>" for row in rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(name)}">'
        f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table></div>"
    )
