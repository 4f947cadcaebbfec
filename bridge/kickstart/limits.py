"""How large an installation payload may be.

The guide says 512 KB to 10 MB, and not of which kind. These bounds are inside both readings.
"""

PAYLOAD_BYTES_MIN = 524_288
PAYLOAD_BYTES_MAX = 10_000_000


def size_problem(n_bytes: int) -> str | None:
    """Return what is wrong with a payload of that size, if anything is."""
    if PAYLOAD_BYTES_MIN <= n_bytes <= PAYLOAD_BYTES_MAX:
        return None
    return (
        f"{n_bytes:,} bytes is not between {PAYLOAD_BYTES_MIN:,} and {PAYLOAD_BYTES_MAX:,}, "
        "which the guide's 512 KB to 10 MB allow whichever way they are read"
    )
