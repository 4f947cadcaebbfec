import pytest

from bridge.kickstart.sources import has_external, parse_sources, sources_text


@pytest.mark.parametrize(
    ("text", "mask"),
    [
        ("8", 8),
        ("08", 8),
        ("15", 15),
        (" entropyd ", 8),
        ("Interrupts+RDRAND + rdseed+entropyd", 15),
        ("interrupts,rdrand", 3),
        ("rdrand+rdrand", 2),
        ("default", 0),
    ],
)
def test_what_is_understood(text, mask):
    assert parse_sources(text) == mask


@pytest.mark.parametrize("mask", range(16))
def test_names_come_back(mask):
    assert parse_sources(sources_text(mask)) == parse_sources(str(mask)) == mask
    assert has_external(mask) == ("entropyd" in sources_text(mask))


@pytest.mark.parametrize("text", ["", "16", "-1", "0x8", "entropyd+", "8+4", "hwrng", "\u0668"])
def test_what_is_not(text):
    with pytest.raises(ValueError, match="sources") as raised:
        parse_sources(text)
    assert "\n" not in str(raised.value)
