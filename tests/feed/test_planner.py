import math

import pytest

from bridge.feed.decision import Feed, Idle, Look
from bridge.feed.hoststate import HostState, Reading
from bridge.feed.planner import Planner
from bridge.feed.policy import Policy, Stock

KIB = 1024
CAPACITY = 512 * KIB
WATERMARK = 104857
PLENTY = Stock(2048 * KIB, 2048 * KIB, 1e6)
ENOUGH = Stock(1024 * KIB, 2048 * KIB, 1e6)
"""Bytes for everybody, and an HSM that has space for more."""
NOTHING = Stock(0, 2048 * KIB, 0.0)
OPEN = {"vc"}


def reading(available: int, capacity: int = CAPACITY) -> Reading:
    return Reading(capacity, available, min(WATERMARK, capacity // 5), 60)


def key(name: str, group: str = "vc") -> tuple[str, str]:
    return (group, name)


def fleet(levels: dict[str, int], policy: Policy | None = None) -> Planner:
    planner = Planner(policy)
    for name, level in levels.items():
        planner.add_host(key(name), 0.0)
        planner.begun(key(name), 0, 0.0)
        planner.observed(key(name), reading(level), 0.0)
    return planner


def feed(planner: Planner, now: float, stock: Stock = PLENTY, groups: set[str] = OPEN) -> Feed:
    decision = planner.decide(now, stock, groups)
    assert isinstance(decision, Feed), decision
    return decision


def idle(planner: Planner, now: float, stock: Stock = PLENTY, groups: set[str] = OPEN) -> float:
    decision = planner.decide(now, stock, groups)
    assert isinstance(decision, Idle), decision
    return math.inf if decision.until is None else decision.until


def test_a_new_host_is_looked_at_at_once():
    planner = Planner()
    planner.add_host(key("a"), 5.0)
    assert planner.decide(5.0, NOTHING, OPEN) == Look(key("a"))


@pytest.mark.parametrize("most", [100 * KIB, KIB])
def test_more_than_a_cap_lets_through_at_once_is_not_waited_for(most):
    planner = fleet({"half empty": 256 * KIB})
    stock = Stock(most // 3 * 3, 2048 * KIB, float(most), most)
    assert feed(planner, 1.0, stock) == Feed(key("half empty"), stock.available_bytes)
    assert idle(planner, 1.0, stock._replace(available_bytes=most // 16)) < 1.5


def test_a_new_host_waits_only_for_one_that_runs_dry():
    planner = fleet({"dying": 2 * KIB, "well": 300 * KIB})
    planner.add_host(key("new"), 0.0)
    assert feed(planner, 0.0).key == key("dying")
    planner.begun(key("dying"), 3, 0.0)
    assert planner.decide(0.0, PLENTY, OPEN) == Look(key("new"))


def test_the_host_that_runs_dry_first_is_fed_first():
    planner = fleet({"a": 300 * KIB, "b": 200 * KIB, "c": 400 * KIB})
    order = []
    for _ in range(3):
        decision = feed(planner, 0.0)
        planner.begun(decision.key, decision.n_bytes, 0.0)
        order.append(decision.key[1])
    assert order == ["b", "a", "c"]


def test_time_to_dry_comes_before_the_level():
    planner = fleet({"slow": 200 * KIB, "fast": 400 * KIB})
    for now in range(10, 100, 10):
        for name, level in (("slow", 200 * KIB - now), ("fast", 400 * KIB - now * 3 * KIB)):
            planner.begun(key(name), 0, float(now))
            planner.observed(key(name), reading(level), float(now))
    assert feed(planner, 90.0).key == key("fast")


def test_the_same_answer_comes_until_the_visit_begins():
    planner = fleet({"a": 100 * KIB, "b": 200 * KIB})
    assert planner.decide(1.0, PLENTY, OPEN) == planner.decide(1.0, PLENTY, OPEN)


def test_a_host_has_one_visit_at_a_time():
    planner = fleet({"a": 100 * KIB})
    planner.begun(key("a"), 3, 0.0)
    assert idle(planner, 1000.0) == math.inf
    with pytest.raises(ValueError, match="visited already"):
        planner.begun(key("a"), 0, 1.0)


def test_a_visit_never_brings_more_than_the_room():
    planner = fleet({"a": CAPACITY - 100 * KIB - 2})
    assert feed(planner, 0.0).n_bytes == 100 * KIB + 2 - (100 * KIB + 2) % 3


def test_a_visit_never_brings_more_than_the_groups_limit():
    planner = fleet({"a": 0})
    assert feed(planner, 0.0).n_bytes == 256 * KIB - 256 * KIB % 3
    planner.limit("vc", 64 * KIB)
    assert feed(planner, 0.0).n_bytes == 64 * KIB - 64 * KIB % 3


def test_the_room_is_that_of_the_reading_and_not_of_the_estimate():
    planner = fleet({"a": CAPACITY - 6 * KIB})
    decision = planner.decide(100.0, PLENTY, OPEN)
    assert decision == Feed(key("a"), 6 * KIB)


def test_room_below_three_bytes_is_full():
    planner = fleet({"a": CAPACITY - 2})
    for now in (0.0, 30.0, 400.0):
        decision = planner.decide(now, PLENTY, OPEN)
        assert not isinstance(decision, Feed)


def test_a_fed_host_is_left_alone_until_the_next_look():
    planner = fleet({"a": 460 * KIB})
    planner.begun(key("a"), 0, 10.0)
    planner.observed(key("a"), reading(450 * KIB), 10.0)
    decision = feed(planner, 10.0)
    planner.begun(decision.key, decision.n_bytes, 10.0)
    planner.observed(key("a"), reading(450 * KIB + decision.n_bytes), 10.1)
    until = idle(planner, 10.1)
    assert 20.0 < until <= 30.1
    assert planner.decide(until, PLENTY, OPEN) == Look(key("a"))


def test_a_full_host_is_looked_at_within_a_third_of_its_timeout():
    planner = Planner()
    planner.add_host(key("a"), 0.0)
    planner.begun(key("a"), 0, 0.0)
    planner.observed(key("a"), Reading(CAPACITY, CAPACITY, WATERMARK, 6), 0.0)
    until = idle(planner, 0.0)
    assert until <= 2.0
    assert planner.decide(until, PLENTY, OPEN) == Look(key("a"))


def test_a_look_that_is_due_brings_bytes_when_there_is_room():
    planner = fleet({"a": CAPACITY - 20 * KIB})
    until = idle(planner, 0.0, ENOUGH)
    assert planner.decide(until, ENOUGH, OPEN) == Feed(key("a"), 20 * KIB - 20 * KIB % 3)


def test_without_bytes_a_look_that_is_due_is_a_look():
    planner = fleet({"a": 100 * KIB})
    assert planner.decide(20.0, NOTHING, OPEN) == Look(key("a"))


def test_a_host_is_looked_at_again_soon_until_its_drain_is_known():
    planner = fleet({"a": CAPACITY})
    until = idle(planner, 0.0)
    assert 1.0 < until < 5.0
    planner.begun(key("a"), 0, until)
    planner.observed(key("a"), reading(CAPACITY - int(until * KIB)), until)
    while isinstance(planner.decide(until, NOTHING, OPEN), Idle):
        until = idle(planner, until, NOTHING)
    assert until > 13.0


def test_a_volatile_host_is_looked_at_sooner_but_not_all_the_time():
    planner = fleet({"a": CAPACITY})
    planner.begun(key("a"), 0, 20.0)
    planner.observed(key("a"), reading(CAPACITY - 400 * KIB), 20.0)
    planner.begun(key("a"), 0, 20.1)
    planner.observed(key("a"), reading(CAPACITY - 400 * KIB), 20.1)
    assert 21.1 <= idle(planner, 20.1, NOTHING) < 26.0


def test_scarce_bytes_lift_the_neediest_to_a_common_time_to_dry():
    planner = fleet({f"h{i}": 200 * KIB for i in range(9)} | {"low": 104 * KIB})
    decision = feed(planner, 0.0, Stock(196 * KIB, 2048 * KIB, 0.0))
    assert decision.key == key("low")
    assert decision.n_bytes == pytest.approx((96 + 10) * KIB, rel=0.01)


def test_scarce_bytes_are_not_spent_on_those_above_while_the_needy_wait():
    planner = fleet({"needy": 90 * KIB, "well": 300 * KIB})
    stock = Stock(KIB, 2048 * KIB, 10 * KIB)
    until = idle(planner, 0.0, stock)
    assert 0.0 < until < 10.0


def test_who_lasts_as_long_as_the_bytes_do_gets_none_of_the_last_ones():
    planner = fleet({"heavy": 500 * KIB, "light": 401 * KIB})
    for turn in range(1, 10):
        now = 5.0 * turn
        for name, level in (("heavy", 500 * KIB - turn * 50 * KIB), ("light", 401 * KIB - turn)):
            planner.begun(key(name), 0, now)
            planner.observed(key(name), reading(level), now)
    planner.begun(key("heavy"), 450 * KIB, 45.1)
    planner.observed(key("heavy"), reading(500 * KIB), 45.1)
    outage = Stock(1500 * KIB, 2048 * KIB, 0.0)
    assert idle(planner, 45.2, outage) > 45.2
    assert feed(planner, 45.2, Stock(1500 * KIB, 2048 * KIB, 1e6)).key == key("light")


def test_nobody_is_lifted_beyond_where_the_bytes_end():
    planner = fleet({"first": 120 * KIB} | {f"h{i}": 300 * KIB for i in range(9)})
    decision = feed(planner, 0.0, Stock(230 * KIB, 2048 * KIB, 0.0))
    assert decision.key == key("first")
    assert decision.n_bytes == pytest.approx((180 + 5) * KIB, rel=0.01)


def test_bytes_are_kept_while_nobody_is_low_or_dry_before_half_of_what_they_last():
    planner = fleet({"first": 180 * KIB} | {f"h{i}": 300 * KIB for i in range(9)})
    assert idle(planner, 0.0, Stock(100 * KIB, 2048 * KIB, 0.0)) > 1.0
    assert feed(planner, 0.0, Stock(1600 * KIB, 2048 * KIB, 5.0 * KIB)).key == key("first")
    low = fleet({f"h{i}": 100 * KIB for i in range(10)})
    assert feed(low, 0.0, Stock(30 * KIB, 2048 * KIB, 0.0)).n_bytes == 3 * KIB


def test_a_host_that_uses_much_more_than_most_is_refilled_sooner():
    planner = fleet({"steep": 490 * KIB} | {f"h{i}": 490 * KIB for i in range(9)})
    for now in (5.0, 10.0, 15.0, 20.0):
        for name in ("steep", *(f"h{i}" for i in range(9))):
            level = 490 - now if name == "steep" else 490 - 0.1 * now
            planner.begun(key(name), 0, now)
            planner.observed(key(name), reading(int(level * KIB)), now)
    assert feed(planner, 20.0).key == key("steep")
    assert idle(fleet({"alone": 470 * KIB}), 0.0, ENOUGH) > 1.0


@pytest.mark.parametrize(("hosts", "seconds"), [(30, 1.0), (300, 2.0), (3000, 10.0 / 3.0)])
def test_low_hosts_are_looked_at_as_often_as_their_number_allows(hosts, seconds):
    planner = fleet({f"h{i}": 4 * KIB for i in range(hosts)})
    for now in (2.0, 4.0):
        for i in range(hosts):
            planner.begun(key(f"h{i}"), 0, now)
            planner.observed(key(f"h{i}"), reading(4 * KIB), now)
    looks = 0
    while isinstance(planner.decide(4.0 + seconds + 1e-3, NOTHING, OPEN), Look):
        decision = planner.decide(4.0 + seconds + 1e-3, NOTHING, OPEN)
        planner.begun(decision.key, 0, 4.0)
        looks += 1
    assert looks == hosts
    assert idle(fleet({"a": 4 * KIB}), 0.5, NOTHING) >= 1.0


def test_a_look_that_is_due_brings_no_scarce_bytes_out_of_turn():
    planner = fleet({"needy": 90 * KIB, "well": 300 * KIB})
    planner.begun(key("needy"), 0, 17.0)
    planner.observed(key("needy"), reading(73 * KIB), 17.0)
    assert planner.decide(20.0, Stock(50 * KIB, 2048 * KIB, 1 * KIB), OPEN) == Look(key("well"))


def test_scraps_go_to_a_host_that_cannot_wait_for_more():
    planner = fleet({"dying": 0})
    assert feed(planner, 0.0, Stock(301, 2048 * KIB, 0.0)) == Feed(key("dying"), 300)


def test_while_several_are_below_the_watermark_none_is_filled():
    planner = fleet({f"h{i}": 0 for i in range(20)})
    decision = feed(planner, 0.0, Stock(2048 * KIB, 2048 * KIB, 1e9))
    assert WATERMARK < decision.n_bytes < 1.15 * WATERMARK


@pytest.mark.parametrize(("cap", "carried"), [(None, 256 * KIB), (1_000_000, 1.1 * WATERMARK)])
def test_where_requests_are_scarce_and_bytes_are_not_they_carry_more(cap, carried):
    planner = fleet({f"h{i}": 0 for i in range(20)})
    planner.cap("vc", cap)
    for now in range(151):  # with no connection free
        idle(planner, float(now), PLENTY, set())
    assert 0.95 * carried < feed(planner, 150.0).n_bytes <= carried


def test_the_last_one_below_the_watermark_is_filled():
    planner = fleet({"h": 0} | {f"h{i}": 400 * KIB for i in range(20)})
    decision = feed(planner, 0.0, Stock(2048 * KIB, 2048 * KIB, 1e9))
    assert decision == Feed(key("h"), 256 * KIB - 256 * KIB % 3)


def test_who_sank_below_the_watermark_unseen_counts_among_those_below():
    planner = fleet({f"h{i}": WATERMARK + 2 * KIB for i in range(20)})
    stock = Stock(2048 * KIB, 2048 * KIB, 1e9)
    assert feed(planner, 1.0, stock).n_bytes == 256 * KIB - 256 * KIB % 3
    assert feed(planner, 3.0, stock).n_bytes < 13 * KIB


def test_an_hsm_that_falls_short_is_not_left_standing():
    planner = fleet({f"h{i}": CAPACITY - 6 * KIB for i in range(30)})
    assert feed(planner, 0.0, Stock(2048 * KIB, 2048 * KIB, 10 * KIB)).n_bytes == 6 * KIB
    assert idle(planner, 0.0, ENOUGH) > 1.0


def test_nor_is_what_a_cap_grants_left_unused():
    planner = fleet({f"h{i}": CAPACITY - 6 * KIB for i in range(30)})
    capped = Stock(10 * KIB, 2048 * KIB, 10 * KIB, 10 * KIB)
    assert feed(planner, 0.0, capped).n_bytes == 6 * KIB
    assert idle(planner, 0.0, capped._replace(available_bytes=6 * KIB)) > 1.0


def test_bytes_that_lie_idle_fill_hosts_one_after_another():
    planner = fleet({"a": 500 * KIB, "b": 505 * KIB}, Policy(top_ups_per_second=10.0))
    assert feed(planner, 0.0) == Feed(key("a"), 12 * KIB)
    planner.begun(key("a"), 12 * KIB, 0.0)
    assert idle(planner, 0.0) == pytest.approx(0.1)
    assert idle(planner, 0.0, ENOUGH) > 0.1
    assert not isinstance(planner.decide(0.1, NOTHING, OPEN), Feed)
    assert feed(planner, 0.1) == Feed(key("b"), 7 * KIB - 1)


def test_a_host_is_not_filled_with_idle_bytes_by_a_reading_of_long_ago():
    planner = fleet({"a": 500 * KIB})
    until = idle(planner, 0.0, ENOUGH)
    assert until > 3.0
    assert idle(planner, 3.0) == until
    assert feed(fleet({"a": 500 * KIB}), 1.0).key == key("a")


def test_a_standby_leaves_bytes_idle_that_nobody_low_wants():
    assert idle(fleet({"a": 350 * KIB}, Policy(refill_below=0.5)), 0.0) > 1.0


def test_requests_under_way_count_as_space_the_hsm_does_not_have():
    planner = fleet({"a": CAPACITY - 6 * KIB, "b": 0})
    planner.begun(key("b"), 255 * KIB, 0.0)
    assert feed(planner, 0.0, Stock(300 * KIB, 512 * KIB, 1.0)).key == key("a")


def test_only_open_groups_are_visited_and_the_neediest_of_them_first():
    planner = Planner()
    for group, name, level in (("x", "a", 100), ("y", "b", 50), ("z", "c", 200)):
        planner.add_host(key(name, group), 0.0)
        planner.begun(key(name, group), 0, 0.0)
        planner.observed(key(name, group), reading(level * KIB), 0.0)
    assert feed(planner, 0.0, PLENTY, {"x", "z"}).key == ("x", "a")
    assert feed(planner, 0.0, PLENTY, {"x", "y", "z"}).key == ("y", "b")
    assert idle(planner, 0.0, PLENTY, set()) == math.inf
    assert idle(planner, 0.0, PLENTY, {"unknown"}) == math.inf


def test_a_group_that_does_not_answer_leaves_bytes_for_the_others():
    planner, stock, hung = Planner(), Stock(1536 * KIB, 1536 * KIB, 1e6), 0
    for number in range(12):
        for group, level in (("hung", 0), ("fine", 100 * KIB)):
            planner.add_host(key(f"{number}", group), 0.0)
            planner.begun(key(f"{number}", group), 0, 0.0)
            planner.observed(key(f"{number}", group), reading(level), 0.0)
    for _ in range(50):
        decision = feed(planner, 0.0, stock, {"hung", "fine"})
        planner.begun(decision.key, decision.n_bytes, 0.0)
        stock = stock.after(decision.n_bytes)
        if decision.key[0] == "fine":
            break
        hung += decision.n_bytes
    assert 1024 * KIB <= hung <= 1280 * KIB


def test_a_group_that_is_alone_may_have_all_bytes_in_flight():
    planner, stock = fleet(dict.fromkeys("abcdefghijklmnop", 0)), Stock(1536 * KIB, 1536 * KIB, 1e6)
    while stock.available_bytes >= 64 * KIB:
        decision = feed(planner, 0.0, stock)
        planner.begun(decision.key, decision.n_bytes, 0.0)
        stock = stock.after(decision.n_bytes)


def test_an_absent_host_is_looked_at_again_with_backoff():
    planner = fleet({"a": 0})
    now, waits = 0.0, []
    for _ in range(8):
        planner.begun(key("a"), 0, now)
        planner.absent(key("a"), "disabled", now)
        until = idle(planner, now)
        waits.append(until - now)
        now = until
        assert planner.decide(now, PLENTY, OPEN) == Look(key("a"))
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]
    (outlook,) = planner.outlook(now)
    assert (outlook.state, outlook.reason) == (HostState.ABSENT, "disabled")
    assert planner.keeps_up(now).keeps_up


def test_a_host_that_is_connected_again_is_looked_at_at_once():
    planner = fleet({"a": 0})
    now = 0.0
    for _ in range(8):
        planner.begun(key("a"), 0, now)
        planner.absent(key("a"), "unavailable", now)
        now = idle(planner, now)
    planner.begun(key("a"), 0, now)
    planner.returned(key("a"), now)  # the visit under way will tell
    planner.absent(key("a"), "unavailable", now)
    assert idle(planner, now) == now + 60.0
    planner.returned(key("a"), now + 1.0)
    assert planner.decide(now + 1.0, PLENTY, OPEN) == Look(key("a"))
    planner.begun(key("a"), 0, now + 1.0)
    planner.absent(key("a"), "unavailable", now + 1.0)
    assert idle(planner, now + 1.0) == now + 2.0


def test_a_host_that_was_never_away_is_not_looked_at_for_that():
    planner = fleet({"a": CAPACITY})
    before = idle(planner, 0.0)
    planner.returned(key("a"), 0.0)
    planner.returned(key("unknown"), 0.0)
    assert idle(planner, 0.0) == before


def test_absence_ends_with_a_reading():
    planner = fleet({"a": 0})
    planner.begun(key("a"), 0, 0.0)
    planner.absent(key("a"), "disconnected", 0.0)
    planner.begun(key("a"), 0, 5.0)
    planner.observed(key("a"), reading(10 * KIB), 5.0)
    assert feed(planner, 5.0).key == key("a")


def test_a_host_of_unknown_fate_is_read_before_it_is_fed():
    planner = fleet({"a": 10 * KIB, "b": 300 * KIB})
    planner.begun(key("a"), 30 * KIB, 0.0)
    planner.uncertain(key("a"), 30 * KIB, 1.0)
    assert planner.decide(1.0, PLENTY, OPEN) == Look(key("a"))
    planner.begun(key("a"), 0, 1.0)
    planner.observed(key("a"), reading(40 * KIB), 1.1)
    assert feed(planner, 1.1).key == key("a")


def test_a_group_in_doubt_is_sent_no_bytes_before_one_of_its_hosts_was_read():
    planner = fleet({"a": 0, "b": 1024, "full": 511 * KIB})
    planner.add_host(key("other", "fine"), 0.0)
    planner.begun(key("other", "fine"), 0, 0.0)
    planner.observed(key("other", "fine"), reading(2048), 0.0)
    planner.add_host(key("old"), 0.0)
    planner.begun(key("old"), 0, 0.0)
    planner.doubt("vc", 0.1)
    planner.observed(key("old"), reading(CAPACITY), 0.2)  # was answered before the trouble
    assert planner.decide(0.2, PLENTY, OPEN) == Look(key("a"))
    planner.begun(key("a"), 0, 0.2)
    assert planner.decide(0.2, PLENTY, OPEN) == Look(key("b"))
    assert feed(planner, 0.2, PLENTY, {"fine"}).key == key("other", "fine")
    planner.begun(key("b"), 0, 0.2)
    assert not isinstance(planner.decide(0.2, PLENTY, OPEN), Feed)  # nor idle bytes
    planner.released(key("a"), 0.2)
    planner.absent(key("b"), "unavailable", 0.2)
    assert planner.decide(1.5, PLENTY, OPEN) == Look(key("a"))
    planner.begun(key("a"), 0, 1.5)
    planner.observed(key("a"), reading(0), 1.5)
    assert feed(planner, 1.5).key == key("a")


def test_unknown_fate_again_and_again_backs_off():
    planner = fleet({"a": 10 * KIB})
    now, waits = 0.0, []
    for _ in range(4):
        planner.begun(key("a"), 0, now)
        planner.uncertain(key("a"), 0, now)
        decision = planner.decide(now, PLENTY, OPEN)
        until = now if isinstance(decision, Look) else idle(planner, now)
        waits.append(until - now)
        now = until
    assert waits == [0.0, 1.0, 2.0, 4.0]


def test_a_released_visit_is_decided_again_shortly():
    planner = fleet({"a": 10 * KIB})
    decision = feed(planner, 0.0)
    planner.begun(decision.key, decision.n_bytes, 0.0)
    planner.released(key("a"), 0.5)
    assert idle(planner, 0.5) == 1.5
    assert feed(planner, 1.5) == decision


@pytest.mark.parametrize("others_answer", [True, False])
def test_a_host_that_alone_has_no_answer_leaves_turns_to_others(others_answer):
    """When nobody has one, nobody waits for longer than the vCenter is away."""
    planner = fleet({"a": 10 * KIB, "full": CAPACITY})
    now, waits = 0.0, []
    for _ in range(7):
        planner.begun(key("a"), 0, now)
        planner.released(key("a"), now)
        waits.append(planner._hosts[key("a")].not_before - now)
        if others_answer:
            planner.begun(key("full"), 0, now + 0.01)
            planner.observed(key("full"), reading(CAPACITY), now + 0.01)
        now += waits[-1]
    assert waits == ([1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0] if others_answer else [1.0] * 7)
    planner.begun(key("a"), 0, now)
    planner.observed(key("a"), reading(10 * KIB), now)
    assert feed(planner, now).key == key("a")


def test_whether_a_vcenter_answers_again_is_not_asked_of_the_same_host_each_time():
    """Not even if it is the driest, and one request at a time is all that there may be."""
    planner = fleet({"mute": 0, "well": 1024})
    for now in (0.0, 40.0):
        planner.begun(key("mute"), 0, now)
        planner.doubt("vc", now)
        planner.released(key("mute"), now)
        assert planner.decide(now + 40.0, PLENTY, OPEN) == Look(key("well"))


def test_a_reading_that_is_long_past_is_renewed_before_bytes_are_sent():
    planner = fleet({"a": 10 * KIB})
    assert planner.decide(181.0, PLENTY, OPEN) == Look(key("a"))


def test_a_removed_host_is_forgotten_also_in_the_middle_of_a_visit():
    planner = fleet({"a": 10 * KIB, "b": 20 * KIB})
    planner.remove_host(key("b"))
    planner.begun(key("a"), 3, 0.0)
    planner.remove_host(key("a"))
    assert len(planner) == 0
    assert planner.outlook(0.0) == []
    planner.observed(key("a"), reading(30 * KIB), 1.0)
    planner.released(key("b"), 1.0)
    assert idle(planner, 100.0) == math.inf


def test_a_host_that_comes_back_during_its_last_visit_gets_no_second_one():
    planner = fleet({"a": 10 * KIB})
    planner.begun(key("a"), 3, 0.0)
    planner.remove_host(key("a"))
    planner.add_host(key("a"), 1.0)
    assert idle(planner, 1.0) == math.inf
    planner.observed(key("a"), reading(20 * KIB), 2.0)
    assert feed(planner, 2.0).key == key("a")


def test_adding_a_host_twice_changes_nothing():
    planner = fleet({"a": 10 * KIB})
    planner.add_host(key("a"), 5.0)
    assert len(planner) == 1
    assert feed(planner, 5.0).key == key("a")


def test_a_standby_leaves_hosts_alone_until_they_sink():
    planner = fleet({"a": 350 * KIB}, Policy(refill_below=0.5))
    assert not isinstance(planner.decide(19.0, PLENTY, OPEN), Feed)
    planner.begun(key("a"), 0, 19.0)
    planner.observed(key("a"), reading(250 * KIB), 19.0)
    assert feed(planner, 19.0).key == key("a")


def test_the_outlook_estimates_the_level_and_the_time_to_dry():
    planner = fleet({"a": 100 * KIB})
    (outlook,) = planner.outlook(40.0)
    assert outlook.available_bytes == 60 * KIB
    assert outlook.seconds_to_dry == pytest.approx(60.0)
    assert outlook.seconds_since_reading == 40.0
    assert outlook.drain_bytes_per_second == KIB


def test_the_outlook_of_a_host_never_read_claims_nothing():
    planner = Planner()
    planner.add_host(key("a"), 0.0)
    (outlook,) = planner.outlook(3.0)
    assert outlook.state is HostState.NEW
    assert outlook.available_bytes is None
    assert outlook.seconds_to_dry is None


def test_it_says_how_late_looks_are():
    planner = fleet({"a": 400 * KIB, "b": 400 * KIB})
    assert planner.keeps_up(20.0).keeps_up
    late = planner.keeps_up(27.0)
    assert (late.overdue, late.worst_seconds) == (2, 7.0)
    planner.begun(key("a"), 0, 27.0)
    planner.observed(key("a"), reading(400 * KIB), 27.0)
    assert planner.keeps_up(28.0).overdue == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"refill_below": 0.0},
        {"refill_below": 1.1},
        {"max_add_bytes": 2},
        {"min_feed_bytes": 0},
        {"min_look_seconds": 0.0},
        {"low_looks_per_second": 0.0},
        {"top_ups_per_second": 0.0},
        {"imminent_seconds": -1.0},
    ],
)
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(ValueError, match="must be"):
        Policy(**wrong)


def test_other_rules_hold_at_once_and_are_the_same_as_from_the_start():
    levels = {"a": 400 * KIB, "b": 470 * KIB}
    lower, higher = Policy(refill_below=0.5), Policy(refill_below=0.95)
    planner = fleet(levels, lower)
    before = idle(planner, 0.0)
    planner.obey(higher, 0.0)
    assert feed(planner, 0.0) == feed(fleet(levels, higher), 0.0)
    planner.obey(lower, 0.0)
    assert idle(planner, 0.0) == before == idle(fleet(levels, lower), 0.0)


def test_other_rules_leave_a_visit_alone():
    planner = fleet({"a": 300 * KIB})
    planner.begun(key("a"), 3000, 0.0)
    planner.obey(Policy(refill_below=0.95), 0.0)
    assert idle(planner, 0.0) == math.inf
    planner.observed(key("a"), reading(460 * KIB), 0.1)
    assert feed(planner, 0.1).key == key("a")
