"""Quantities in words that a person reads at a glance."""

import math


def bytes_text(n_bytes: float) -> str:
    """Write 524288 as "512 KiB"."""
    size = float(n_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        # what would round to 1024 is one of the next unit
        if abs(size) < (1023.5 if unit == "B" else 1023.95):
            return f"{size:.0f} {unit}" if unit == "B" else f"{_short(size)} {unit}"
        size /= 1024
    return f"{_short(size)} TiB"


def rate_text(bytes_per_second: float) -> str:
    """Write 1024.0 as "1 KiB/s"."""
    return f"{bytes_text(bytes_per_second)}/s"


def duration_text(seconds: float | None) -> str:
    """Write 512 as "8 min 32 s"; None as "unknown", endless as "endless"."""
    if seconds is None or math.isnan(seconds):
        return "unknown"
    if math.isinf(seconds):
        return "endless"
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} min"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


def _short(size: float) -> str:
    text = f"{size:.1f}" if size < 100 else f"{size:.0f}"
    return text.removesuffix(".0")
