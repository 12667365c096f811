"""Requests: filled by tokens, a few under way at once, no more when nobody wants them."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

from core.models.remote.protocol import Client, Sent

MOST_ROWS = 64
"""Texts in one request where the server names no bound: what is lost when it fails stays small."""

T = TypeVar("T")
R = TypeVar("R")


def fill_requests(
    client: Client, items: Sequence[tuple[int, Sent]], batch_tokens: int
) -> list[list[tuple[int, Sent]]]:
    """Puts texts into requests, in the order given, each within the limits.

    Args:
        client: says which texts may go together, and how many.
        items: position and text.
        batch_tokens: tokens a request may hold; one longer text makes a request of its own.
    """
    most = min(client.max_rows or MOST_ROWS, MOST_ROWS)
    requests: list[list[tuple[int, Sent]]] = []
    batch: list[tuple[int, Sent]] = []
    weight = 0
    for position, item in items:
        texts = [sent for _, sent in batch]
        full = len(batch) >= most or weight + item.weight > batch_tokens
        if batch and (full or not client.goes_with(texts, item)):
            requests.append(batch)
            batch, weight = [], 0
        batch.append((position, item))
        weight += item.weight
    if batch:
        requests.append(batch)
    return requests


def run_requests(
    requests: Sequence[T],
    send: Callable[[T], R],
    *,
    concurrency: int,
    should_stop: Callable[[], bool],
) -> Iterator[tuple[T, R]]:
    """Sends requests, at most `concurrency` at once, and yields results as they come.

    When `should_stop` says True no more are sent; those under way are waited for and yielded.
    """
    waiting = deque(requests)
    running: dict[Future[R], T] = {}
    with ThreadPoolExecutor(concurrency, thread_name_prefix="remote") as pool:
        while True:
            while waiting and len(running) < concurrency and not should_stop():
                request = waiting.popleft()
                running[pool.submit(send, request)] = request
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), future.result()
