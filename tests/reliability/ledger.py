"""What a model endpoint was asked and paid for, by content."""

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tests.llm.server import ModelServer, role_of

Ledger = Mapping[str, Sequence[float]]
"""When each request came, by its content; it is paid for each time."""


def ledger(server: ModelServer) -> Ledger:
    """Return what was paid for; the small calls that try the endpoint are left out."""
    book: dict[str, list[float]] = defaultdict(list)
    for body, at in zip(server.requests, server.times, strict=True):
        if role_of(body) != "preflight":
            book[json.dumps(body, sort_keys=True)].append(at)
    return dict(book)


def lost_by_process(paid: Ledger, undisturbed: Ledger, deaths: Sequence[float]) -> Mapping[int, int]:
    """Return how many replies each process had paid for and lost: they were asked for again after its death.

    What an undisturbed run asks for several times, as several votes, is left out.
    """
    once = [times for content, times in paid.items() if len(undisturbed[content]) == 1]
    return Counter(bisect_left(deaths, at) for times in once for at in times[:-1])
