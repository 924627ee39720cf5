from __future__ import annotations

import threading
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pleinair.runtime.frame_queue import FrameQueue


@given(st.integers(1, 4), st.lists(st.booleans(), max_size=60))
def test_newest_wins_keeps_the_newest_in_order_and_counts_the_rest(capacity, puts):
    queue: FrameQueue[int] = FrameQueue(capacity, newest_wins=True)
    model: deque[int] = deque()
    dropped = 0
    for number, is_put in enumerate(puts):
        if is_put:
            dropped += len(model) == capacity
            model = deque([*model, number][-capacity:])
            assert queue.put(number)
        elif model:
            assert queue.get() == model.popleft()
    assert queue.dropped == dropped
    queue.close()
    assert list(iter(queue.get, None)) == list(model)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 4), st.integers(0, 80))
def test_a_waiting_queue_loses_and_reorders_nothing(capacity, count):
    queue: FrameQueue[int] = FrameQueue(capacity, newest_wins=False)

    def produce() -> None:
        for number in range(count):
            assert queue.put(number)
        queue.close()

    producer = threading.Thread(target=produce)
    producer.start()
    assert list(iter(queue.get, None)) == list(range(count))
    producer.join(10)
    assert queue.dropped == 0


@pytest.mark.parametrize("newest_wins", [False, True])
def test_a_closed_queue_takes_nothing_and_hands_out_the_rest(newest_wins):
    queue: FrameQueue[str] = FrameQueue(2, newest_wins)
    queue.put("a")
    queue.close()
    assert not queue.put("b")
    assert (queue.get(), queue.get(), queue.get()) == ("a", None, None)


def test_closing_with_discard_hands_out_nothing():
    queue: FrameQueue[str] = FrameQueue(2, newest_wins=False)
    queue.put("a")
    queue.close(discard=True)
    assert queue.get() is None
    assert queue.dropped == 0


@pytest.mark.parametrize("blocked", ["put", "get"])
def test_closing_wakes_whoever_waits(blocked):
    queue: FrameQueue[int] = FrameQueue(1, newest_wins=False)
    results: list[object] = []
    if blocked == "put":
        queue.put(0)
        waiter = threading.Thread(target=lambda: results.append(queue.put(1)))
    else:
        waiter = threading.Thread(target=lambda: results.append(queue.get()))
    waiter.start()
    queue.close(discard=True)
    waiter.join(10)
    assert results == [False if blocked == "put" else None]
