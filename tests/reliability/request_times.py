"""The requests that a model endpoint received, by content, to find those that were sent and paid for twice."""

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tests.llm.server import ModelServer, role_of

RequestTimes = Mapping[str, Sequence[float]]
"""The arrival times of each request, by its content."""


def request_times(server: ModelServer) -> RequestTimes:
    """Return the arrival times of the requests to a server, without those of the preflight check."""
    times: dict[str, list[float]] = defaultdict(list)
    for body, arrived_at in zip(server.requests, server.times, strict=True):
        if role_of(body) != "preflight":
            times[json.dumps(body, sort_keys=True)].append(arrived_at)
    return dict(times)


def lost_replies(times: RequestTimes, undisturbed: RequestTimes, deaths: Sequence[float]) -> Mapping[int, int]:
    """Return how many replies each process lost: their requests were sent again after the process had died.

    Requests that an undisturbed run sends several times, such as repeated votes, are left out.

    Args:
        times: the requests of all processes.
        undisturbed: the requests of a run that was not killed.
        deaths: when each process but the last was killed.
    """
    unique = [arrivals for content, arrivals in times.items() if len(undisturbed[content]) == 1]
    return Counter(bisect_left(deaths, arrived_at) for arrivals in unique for arrived_at in arrivals[:-1])
