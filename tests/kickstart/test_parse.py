"""`entropy` as an installer reads it; every mistake has its line and column."""

import base64

import pytest

from bridge.kickstart.errors import KickstartError
from bridge.kickstart.parse import Installation, examine, parse_kickstart

COMMAND = b"entropy --sources=8 --data="


def problems(content):
    return [(f.line, f.column, f.text) for f in examine(content).findings if not f.is_warning]


def only_problem(content):
    ((line, column, text),) = problems(content)
    return line, column, text


def test_the_guides_example(kickstart, raw):
    assert parse_kickstart(kickstart) == Installation(8, raw)
    (warning,) = examine(kickstart).findings
    assert warning.is_warning
    assert warning.place == "3:19"
    assert "keep feeding it" in warning.text


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize(
    "form",
    [
        b"entropy --data=%s --sources=8",
        b"\t entropy  \t--sources=8   --data=%s \t",
        b"# entropy --data=x\n\nentropy --sources=8 --data=%s\n#entropy\n%%post\nentropy --x\n",
        b"%%include /tmp/x\nentropy --sources=8 --data=%s\n%%firstboot\nentropy --sources=8",
    ],
)
def test_forms_that_mean_the_same(form, newline, text, raw):
    content = (form % text).replace(b"\n", newline)
    assert parse_kickstart(content) == Installation(8, raw)


@pytest.mark.parametrize("sources", range(16))
def test_sources(sources, text, raw):
    content = b"entropy --sources=%d --data=%s" % (sources, text)
    assert parse_kickstart(content).sources == sources
    (warning,) = examine(content).findings
    assert ("uses no external entropy" in warning.text) == (sources & 8 == 0)
    assert ("keep feeding" in warning.text) == (sources == 8)


def test_without_entropyd_no_data_is_needed():
    assert parse_kickstart(b"entropy --sources=7") == Installation(7, b"")


@pytest.mark.parametrize("value", [b"16", b"08", b"-1", b"0x8", b"entropyd", b"", b"8,", b"\xb2"])
def test_sources_that_are_none(value, text):
    line, column, words = only_problem(b"entropy --sources=%s --data=%s" % (value, text))
    assert (line, column) == (1, 19)
    assert words == "--sources must be a number from 0 to 15, without leading zeros"


@pytest.mark.parametrize(
    ("form", "place", "words"),
    [
        (b"entropy --data=%s", (1, 1), "--sources is missing; write --sources=8"),
        (
            b"entropy --sources=8 --dta=%s --data=%s",
            (1, 21),
            "no option --dta; did you mean --data",
        ),
        (b"entropy --sources=8 --x --data=%s", (1, 21), "no option --x; it has --sources and"),
        (b"entropy --sources=8 -v --data=%s", (1, 21), "no option -v"),
        (b"entropy --sources=8 --sources=9 --data=%s", (1, 21), "--sources is here twice"),
        (b"entropy --sources 8 --data=%s", (1, 9), "write --sources=…; no other form"),
        (b"entropy --sources=8 --data %s", (1, 21), "write --data=…; no other form"),
        (
            b"entropy --sources=8 %s --data=%s",
            (1, 21),
            "a word that is no option; --data takes one",
        ),
        (b"entropy --sources=8 --data=\x0c%s", (1, 28), "--data is not Base64: white space"),
        (b'entropy --sources=8 --data="%s"', (1, 28), "--data is not Base64: a quotation mark"),
        (b"entropy --sources=8 --data=%s\nentropy --sources=0", (2, 1), "first is in line 1"),
        (b"entropy --sources=8 --data=%s\n ENTROPY x", (2, 2), "write entropy in small letters"),
        (
            b"entropy --sources=8 --data=%s\n  --sources=8",
            (2, 1),
            "the rest of the entropy command",
        ),
        (b"entropy --sources=8 --data=%s\nupgrade --firstdisk", (2, 1), "an upgrade takes no"),
        (b"reboot\rentropy --sources=8 --data=%s", (1, 7), "carriage return without a line feed"),
        (b"%%pre\nentropy --sources=8 --data=%s", (2, 1), "it belongs before line 1"),
        (b"Entropy --sources=8 --data=%s", (1, 1), "write entropy in small letters"),
        (
            b"include /tmp/x\n#entropy --sources=8 --data=%s",
            (1, 1),
            "check the file that this line",
        ),
        (b"install\n", (0, 0), "no entropy command before the first % section"),
        (b"", (0, 0), "no entropy command before the first % section"),
    ],
)
def test_one_mistake_is_one_finding(form, place, words, text):
    content = form.replace(b"%s", text).replace(b"%%", b"%")
    line, column, said = only_problem(content)
    assert (line, column) == place
    assert words in said
    with pytest.raises(KickstartError, match=r"^(line \d+, column \d+: )?\S") as raised:
        parse_kickstart(content)
    assert "\n" not in str(raised.value)


def test_data_that_is_missing():
    for content in (b"entropy --sources=8", b"entropy --sources=9"):
        assert only_problem(content)[2].startswith("--data is missing")
    assert only_problem(b"entropy --sources=0 --data=") == (
        (1, 28, "--data is missing: the host would boot without entropy")
    )


def test_a_wrapped_payload_is_told_as_such(text):
    wrapped = b"\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    found = problems(b"vmaccepteula\n" + COMMAND + wrapped)
    assert [place for *place, _ in found] == [[2, 28], [3, 1]]
    assert "57 bytes" in found[0][2]
    assert "must be one line" in found[1][2]


def test_the_column_of_a_foreign_character(text):
    content = COMMAND + text[:300_000] + b"*" + text[300_000:]
    assert only_problem(content)[:2] == (1, len(COMMAND) + 300_001)


@pytest.mark.parametrize(
    ("n_bytes", "is_good"),
    [
        (512_000, False),
        (524_287, False),
        (524_288, True),
        (10_000_000, True),
        (10_000_001, False),
        (10_485_760, False),
    ],
)
def test_sizes_that_are_safe_however_the_guide_is_read(n_bytes, is_good):
    content = COMMAND + base64.b64encode(bytes(n_bytes))
    if is_good:
        assert len(parse_kickstart(content).data) == n_bytes
    else:
        line, column, words = only_problem(content)
        assert (line, column) == (1, 28)
        assert words.startswith(f"--data: {n_bytes:,} bytes is not between 524,288 and 10,000,000")


def test_utf_16_is_told(kickstart):
    content = kickstart.decode().encode("utf-16")
    assert "save it as plain text" in only_problem(content)[2]


def test_a_byte_order_mark_is_told_and_belongs_to_no_word(text, raw):
    content = b"\xef\xbb\xbfvmaccepteula\n" + COMMAND + text
    assert parse_kickstart(content).data == raw
    assert "byte order mark" in examine(content).findings[0].text
    content = b"\xef\xbb\xbf" + COMMAND + text
    assert only_problem(content)[2].endswith("part of the first word; remove it")


def test_no_finding_and_no_repr_holds_entropy(text):
    piece = text[:12].decode()
    for content in (
        COMMAND + text + b" " + text,
        b"entropy --sources=" + text + b" --" + text + b" data=" + text,
        b"entropy " + text[:16] + b" " + text,
        COMMAND + text + b"\n" + text,
        COMMAND + text,
    ):
        examined = examine(content)
        assert piece not in repr(examined)
        assert piece not in " ".join(map(str, examined.findings))
    assert piece not in repr(parse_kickstart(COMMAND + text))
