import random

from bridge.feed.hoststate import Host
from bridge.feed.turns import Group, Queue, Turn


def hosts(n: int) -> list[Host]:
    group = Group(max_add_bytes=1000)
    return [Host(("vc", f"h{i}"), group, serial=i, contact_at=0.0) for i in range(n)]


def test_the_earliest_moment_is_first_and_a_later_word_counts():
    queue = Queue(Turn.REFILL)
    a, b = hosts(2)
    queue.put(a, 5.0)
    queue.put(b, 7.0)
    assert queue.head() == (5.0, a)
    queue.put(a, 9.0)
    assert (queue.head(), len(queue)) == ((7.0, b), 2)
    queue.drop(b)
    assert (queue.head(), len(queue), queue.hosts()) == ((9.0, a), 1, [a])
    queue.drop(a)
    queue.drop(a)
    assert (queue.head(), len(queue)) == (None, 0)


def test_keep_changes_nothing_for_a_host_that_waits():
    queue = Queue(Turn.LOOK)
    (a,) = hosts(1)
    queue.keep(a, 5.0)
    queue.keep(a, 1.0)
    assert queue.head() == (5.0, a)


def test_the_kinds_of_turn_do_not_disturb_each_other():
    looks, refills = Queue(Turn.LOOK), Queue(Turn.REFILL)
    (a,) = hosts(1)
    looks.put(a, 1.0)
    refills.put(a, 2.0)
    looks.drop(a)
    assert not looks.holds(a)
    assert refills.head() == (2.0, a)


def test_it_stays_small_however_often_moments_change():
    queue = Queue(Turn.WAKE)
    crowd = hosts(10)
    moments = {}
    dice = random.Random(7)
    for _ in range(10_000):
        host = dice.choice(crowd)
        moments[host.key] = dice.random()
        queue.put(host, moments[host.key])
    assert len(queue._entries) < 200
    drawn = []
    while (head := queue.head()) is not None:
        drawn.append(head[1].key)
        queue.drop(head[1])
    assert drawn == sorted(moments, key=moments.__getitem__)
