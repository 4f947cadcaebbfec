"""Choosing the token."""

import json

import pytest

from bridge.hsm import ModuleInfo, SlotInfo, TokenAbsent, TokenAmbiguous, TokenInfo, select


def slot(slot_id, label=None, serial="", *, initialised=True, problem=None):
    flags = ("RNG", "TOKEN_INITIALIZED") if initialised else ("RNG",)
    token = None if label is None else TokenInfo(label, serial, "Maker", "Model", flags)
    return SlotInfo(slot_id, f"slot {slot_id}", "Maker", token, problem=problem)


SLOTS = [slot(0), slot(1, "alpha", "A1"), slot(2, "beta", "B1"), slot(7, "beta", "B2")]


@pytest.mark.parametrize(
    ("criteria", "slot_id"),
    [
        ({"label": "alpha"}, 1),
        ({"serial": "B2"}, 7),
        ({"slot": 2}, 2),
        ({"label": "beta", "serial": "B1"}, 2),
    ],
)
def test_the_one_that_fits(criteria, slot_id):
    assert select(SLOTS, **criteria).slot_id == slot_id


def test_no_criteria_mean_the_only_token():
    assert select([slot(0), slot(3, "alpha", "A1")]).slot_id == 3


def test_no_criteria_pass_over_an_uninitialised_token():
    assert select([slot(3, "alpha", "A1"), slot(4, "", "", initialised=False)]).slot_id == 3


def test_no_criteria_take_an_uninitialised_token_that_is_alone():
    assert select([slot(4, "", "", initialised=False)]).slot_id == 4


def test_no_criteria_and_two_tokens_are_refused():
    with pytest.raises(TokenAmbiguous, match="2 tokens: set serial or slot to one of serial A1 in"):
        select([slot(1, "alpha", "A1"), slot(2, "beta", "B1")])


def test_an_ambiguous_label_lists_serials_and_slots():
    with pytest.raises(TokenAmbiguous) as refused:
        select(SLOTS, label="beta")
    assert str(refused.value) == (
        "2 tokens labelled 'beta': set serial or slot to one of "
        "serial B1 in slot 2, serial B2 in slot 7"
    )


def test_a_missing_label_lists_what_is_there():
    with pytest.raises(TokenAbsent) as refused:
        select(SLOTS, label="gamma")
    assert str(refused.value) == (
        "no token labelled 'gamma'; present: 'alpha' (serial A1, slot 1), "
        "'beta' (serial B1, slot 2), 'beta' (serial B2, slot 7)"
    )


def test_an_empty_slot_does_not_fit_by_its_number():
    with pytest.raises(TokenAbsent, match="no token in slot 0"):
        select(SLOTS, slot=0)


def test_no_token_at_all():
    with pytest.raises(TokenAbsent, match="the module shows no token at all"):
        select([slot(0)], label="alpha")


def test_a_slot_that_cannot_be_read_is_named():
    with pytest.raises(TokenAbsent, match="none can be read: slot 5: DeviceError"):
        select([slot(5, problem="DeviceError")], label="alpha")


def test_a_long_list_stays_one_line_of_reasonable_length():
    many = [slot(number, f"token-{number}", f"S{number}") for number in range(40)]
    with pytest.raises(TokenAbsent) as refused:
        select(many, label="gamma")
    assert str(refused.value).endswith("and 34 more")
    assert "\n" not in str(refused.value)


def test_records_survive_json():
    info = ModuleInfo("/m.so", "Maker", "Lib", "2.40", "1.0", tuple(SLOTS))
    assert ModuleInfo.from_json(json.loads(json.dumps(info.as_json()))) == info
