"""`entropy-bridge kickstart check`: what is wrong with payloads, and where."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bridge.cli.errors import Code
from bridge.cli.output import print_json
from bridge.config import one_line
from bridge.kickstart.assess import Assessment
from bridge.kickstart.check import Kind, Report, check_files
from bridge.kickstart.finding import Finding
from bridge.kickstart.sources import sources_text


def check(arguments: argparse.Namespace) -> int:
    """Check, and print a line for each thing that is wrong; 1 if there is one."""
    reports = check_files(arguments.files)
    is_good = all(report.is_good for report in reports)
    if arguments.json:
        files = [_document(report) for report in reports]
        print_json({"good": is_good, "files": files})
    else:
        for report in reports:
            for line in _lines(report):
                print(one_line(line))
    return Code.OK if is_good else Code.FAILURE


def _lines(report: Report) -> Iterator[str]:
    for finding in report.findings:
        yield _line(report.path, finding)
    if report.is_good:
        yield f"{report.path}: good: {_summary(report)}"


def _line(path: Path, finding: Finding) -> str:
    place = f"{path}:{finding.place}" if finding.place else str(path)
    return f"{place}: {'warning: ' if finding.is_warning else ''}{finding.text}"


def _summary(report: Report) -> str:
    if report.kind is Kind.MANIFEST:
        return "the manifest, which holds no entropy"
    words = []
    if report.payload_bytes is not None:
        words.append(f"{report.payload_bytes:,} bytes")
    if report.sources is not None:
        words.append(f"sources = {report.sources} ({sources_text(report.sources)})")
    if report.tests is not None:
        tests = report.tests
        words.append(
            f"{tests.n_failed} of {tests.n_blocks + tests.n_windows:,} blocks fail the output tests"
        )
        payloads = float(f"{1 / tests.false_alarm_rate:.2g}")
        words.append(f"a false alarm in one of {payloads:,.0f} good payloads")
    return ", ".join(words)


def _document(report: Report) -> dict[str, object]:
    mask = report.sources
    return {
        "file": str(report.path),
        "kind": report.kind,
        "good": report.is_good,
        "problems": [_place(finding) for finding in report.findings if not finding.is_warning],
        "warnings": [_place(finding) for finding in report.findings if finding.is_warning],
        "sources": mask,
        "source_names": None if mask is None else sources_text(mask),
        "payload_bytes": report.payload_bytes,
        "payload_sha256": report.payload_sha256,
        "tests": None if report.tests is None else _tests(report.tests),
    }


def _place(finding: Finding) -> dict[str, object]:
    return {
        "line": finding.line or None,
        "column": finding.column or None,
        "text": finding.text,
    }


def _tests(tests: Assessment) -> dict[str, object]:
    return {
        "blocks": tests.n_blocks + tests.n_windows,
        "failed": tests.n_failed,
        "failures": [
            {"test": failure.test, "offset": failure.offset} for failure in tests.failures[:1000]
        ],
        "repeated": tests.n_repeated,
        "false_alarm_rate": tests.false_alarm_rate,
    }
