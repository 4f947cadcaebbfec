"""What the end of a source process means."""

from dataclasses import replace

import pytest

from bridge.native.errors import Err, NativeError
from bridge.native.ring import Phase
from bridge.source.ending import Cause, judge
from bridge.source.exits import Exit, exit_for
from tests.source.test_hang import view

SEGV = -11
KILL = -9


def cause(
    returncode, *, phase=Phase.RUNNING, fault=None, latched=False, killed_for=None, **answers
):
    seen = replace(view(phase=phase), fault=fault, latched=latched)
    return judge(returncode, seen, killed_for=killed_for, answers=answers).cause


@pytest.mark.parametrize("returncode", [SEGV, KILL, 0, 1, Exit.FAULT, None])
@pytest.mark.parametrize("killed_for", [None, "hung"])
def test_every_end_in_the_middle_of_a_login_is_a_refusal(returncode, killed_for):
    assert cause(returncode, phase=Phase.LOGIN, killed_for=killed_for) is Cause.REFUSED


def test_a_refusal_is_known_by_either_sign():
    refused = NativeError(Err.ERR_PIN_REFUSED)
    assert cause(Exit.PIN_REFUSED) is Cause.REFUSED
    assert cause(SEGV, phase=Phase.STOPPED, fault=refused) is Cause.REFUSED
    assert cause(KILL, phase=Phase.STOPPED, fault=refused, killed_for="hung") is Cause.REFUSED


def test_a_latched_test_is_known_by_either_sign():
    assert cause(Exit.HEALTH) is Cause.HEALTH
    assert cause(SEGV, latched=True) is Cause.HEALTH
    assert cause(KILL, phase=Phase.STOPPED, fault=NativeError(Err.ERR_HEALTH)) is Cause.HEALTH


@pytest.mark.parametrize(
    "code", [Exit.MODULE, Exit.TOKEN_AMBIGUOUS, Exit.PIN_FILE, Exit.MEMORY], ids=str
)
def test_what_waiting_does_not_mend(code):
    assert cause(code) is Cause.MISCONFIGURED
    # ... whatever its module does on the way out
    assert cause(SEGV, error="a line", exit=code) is Cause.MISCONFIGURED
    assert cause(KILL, killed_for="hung", error="a line", exit=code) is Cause.MISCONFIGURED


@pytest.mark.parametrize("code", [Exit.TOKEN_ABSENT, Exit.FAULT, 0, 1, 2, SEGV, KILL, None])
def test_what_is_tried_again(code):
    assert cause(code) is Cause.FAILED


def test_the_reason_is_the_best_that_is_known():
    seen = replace(view(phase=Phase.STOPPED), fault=NativeError(Err.ERR_SYSTEM, text="no luck"))

    def reason(**known):
        return judge(Exit.FAULT, seen, **known).reason

    assert reason(answers={"error": "one line"}) == "one line"
    assert reason(answers={"error": "one line"}, killed_for="hung while ending") == "one line"
    assert "no luck" in reason()
    assert reason(killed_for="hung in C_X") == "the source hung in C_X"
    assert judge(SEGV, view()).reason == ("the source was killed by SIGSEGV")


def test_every_native_error_has_an_exit_code():
    assert exit_for(Err.ERR_LOAD) is Exit.MODULE
    assert exit_for(Err.ERR_CKR) is Exit.FAULT
    assert all(exit_for(err) in Exit for err in Err)
