"""A template keeps every byte but its entropy command's."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.kickstart.errors import KickstartError
from bridge.kickstart.limits import PAYLOAD_BYTES_MIN
from bridge.kickstart.lines import BOM, split_lines
from bridge.kickstart.parse import parse_kickstart
from bridge.kickstart.template import Template

RAW = bytes(range(256)) * (PAYLOAD_BYTES_MIN // 256)
TEXT = bytearray(base64.b64encode(RAW))
COMMAND = b"entropy --sources=8 --data=" + TEXT


def filled(content):
    return bytes(Template.of(content).filled(8, TEXT))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"vmaccepteula\n", b"\ninstall --firstdisk\nreboot\n"),
        (b"vmaccepteula\r\n", b"\r\ninstall --firstdisk\r\n%post\r\nentropy --x\r\n"),
        (b"vmaccepteula\n", b"\n# install\n\n%firstboot --interpreter=busybox\ninstall\n"),
        (b"vmaccepteula\n%include /tmp/x\n", b"\n%pre\nkeyboard\n"),
        (b"vmaccepteula\n", b""),  # the last line had no end, and has none
        (b"vmaccepteula\r\n", b""),
        (b"vmaccepteula\n", b"\n"),
        (b"# Gr\xfc\xdfe\n", b"\n\tinstall \xff\xfe\n"),
        (b"\xef\xbb\xbfvmaccepteula\n", b"\ninstall\n"),
        (b"rootpw \xef\xbb\xbf\n", b"\n installorupgrade\n"),
    ],
)
def test_it_is_added(before, after):
    whole = filled(before + after.removeprefix(b"\r").removeprefix(b"\n"))
    if not after:
        whole_without_end = before.rstrip(b"\r\n")
        assert filled(whole_without_end) == whole_without_end + b"\n" + COMMAND
        return
    assert whole == before + COMMAND + after


@pytest.mark.parametrize(
    "old", [b"entropy", b"entropy --sources=1 --data=AAAA \t", b"entropy -x # y"]
)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"install\n", b"\nreboot\n"),
        (b"install\r\n", b"\r\nreboot\r\n%post\r\nentropy\r\n"),
        (b"", b""),
        (b"\xef\xbb\xbf\n", b"\n\n\n"),
        (b"\xff\n\n", b"\r\n\xfe"),
    ],
)
def test_it_is_replaced(before, old, after):
    assert filled(before + old + after) == before + COMMAND + after


COMMANDS = st.sampled_from(
    [
        b"vmaccepteula",
        b"rootpw x",
        b"install --firstdisk",
        b"\t install",
        b"# entropy --sources=1",
        b"",
        b"  ",
        b"%include /x",
        "keyboard 'Größe'".encode("latin-1"),
        "# ключ".encode(),
        b"network --bootproto=dhcp \\",
    ]
)
SCRIPT = st.lists(
    st.sampled_from(
        [b"%post", b"%firstboot --interpreter=python", b"entropy --x", b"install", b"#"]
    )
)
NEWLINE = st.sampled_from([b"\n", b"\r\n"])


@st.composite
def kickstarts(draw, *, with_entropy):
    """A kickstart file, and what it is without its entropy command's words."""
    commands = draw(st.lists(COMMANDS, max_size=6))
    if with_entropy:
        place = draw(st.integers(0, len(commands)))
        commands.insert(place, b"entropy --sources=3 --data=AAAA")
    else:
        commands.append(b"reboot")
    script = draw(SCRIPT)
    lines = [*commands, *([b"%pre", *script] if script else [])]
    content = b"".join(line + draw(NEWLINE) for line in lines)
    if draw(st.booleans()):
        content = content.rstrip(b"\r\n")
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf# a mark\n"])) + content


@settings(max_examples=60, deadline=None)
@given(kickstarts(with_entropy=False))
def test_taking_an_added_line_out_gives_the_template_back(content):
    whole = filled(content)
    assert whole.count(COMMAND) == 1
    before, after = whole.split(COMMAND)
    kept = [before + after.removeprefix(end) for end in (b"\r\n", b"\n") if after.startswith(end)]
    if not after:
        kept = [before.removesuffix(end) for end in (b"\r\n", b"\n")]
    assert content in kept
    assert parse_kickstart(whole).data == RAW


@settings(max_examples=60, deadline=None)
@given(kickstarts(with_entropy=True))
def test_replacing_changes_the_command_only(content):
    whole = filled(content)
    assert whole.replace(COMMAND, b"entropy --sources=3 --data=AAAA") == content
    assert parse_kickstart(whole).data == RAW
    assert filled(whole) == whole


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_refused_or_kept(content):
    try:
        template = Template.of(content)
    except KickstartError:
        return
    whole = bytes(template.filled(8, bytearray(b"AAAA")))
    (command,) = split_lines(whole).entropy
    assert command.content.removeprefix(BOM) == b"entropy --sources=8 --data=AAAA"
    assert len(whole) >= len(command.content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no command; it is no kickstart file"),
        (b"# only\n\n", "holds no command"),
        (b"%post\nreboot\n", "holds no command"),
        (
            b"entropy --x\ninstall\nentropy --y\n",
            "^line 3, column 1: entropy is here again; the first is in",
        ),
        (b"Entropy --x\n", "^line 1, column 1: write entropy in small letters"),
        (b"install\rreboot\n", "^line 1, column 8: a carriage return"),
        (b"install\nupgrade\n", "^line 2, column 1: an upgrade takes no external entropy"),
        (b"entropy --sources=8\n  --data=x\n", "^line 2, column 1: this looks like the rest"),
        ("install\n".encode("utf-16"), "NUL bytes"),
        (b"\xef\xbb\xbfentropy --x\n", "^line 1, column 1: a byte order mark.*; remove it$"),
        (b"\xef\xbb\xbfinstall\n", "^begins with a byte order mark"),
        (b"install\n\x0bentropy --x\n", "^line 2, column 1: a control character before entropy"),
    ],
)
def test_templates_that_are_none(content, words):
    with pytest.raises(KickstartError, match=words):
        Template.of(content)


def test_warnings_are_kept():
    template = Template.of(b"\xef\xbb\xbfvmaccepteula\ninstallorupgrade --firstdisk\n")
    assert [finding.place for finding in template.warnings] == ["1:1", "2:1"]
    template = Template.of(b"vmaccepteula\n %include /tmp/disks\ninstall\n")
    (finding,) = template.warnings
    assert str(finding).startswith("line 2, column 2: what this line includes is not looked at")


def test_what_installs_nothing_is_warned_of():
    (finding,) = Template.of(b"root:x:0:0::/root:/bin/sh\n").warnings
    assert finding.text.startswith("nothing here installs ESXi")
    assert Template.of(b"vmaccepteula\ninstall --firstdisk\n").warnings == ()


def test_the_minimal_one():
    template = Template.minimal("$6$salt$abcdefgh./")
    whole = bytes(template.filled(15, TEXT))
    assert whole.startswith(
        b"vmaccepteula\nrootpw --iscrypted $6$salt$abcdefgh./\nentropy --sources=15 --data="
    )
    assert b"overwritevmfs" not in whole
    assert parse_kickstart(whole).data == RAW


@pytest.mark.parametrize(
    "root_hash", ["", "secret", "$6$a b$cdefghijkl", "$6$salt$x\nreboot", "$6$ä"]
)
def test_a_minimal_one_wants_a_hash(root_hash):
    with pytest.raises(KickstartError, match="holds no password hash") as raised:
        Template.minimal(root_hash)
    assert not root_hash or root_hash not in str(raised.value)
