"""Whether the names of receivers can be resolved, and whether hooks may connect to what they mean.

For `hotspots hooks check`: what counts is checked again at each connection (address_guard.py).
"""

import socket
from collections.abc import Iterable

from streams.delivery.address_guard import RefusedAddressError
from streams.delivery.routes import WHERE, Receiver, RouteKind
from streams.errors import Problem


def address_problems(receivers: Iterable[Receiver]) -> list[Problem]:
    """Return what keeps receivers from being reached, as far as their names tell.

    Those of chats are known to Apprise alone; `hotspots hooks test` tries them.
    """
    problems = []
    for receiver in receivers:
        if receiver.route.kind is RouteKind.CHAT:
            continue
        try:
            answers = socket.getaddrinfo(receiver.host, receiver.port, type=socket.SOCK_STREAM)
            for answer in answers:
                receiver.guard.check(str(answer[4][0]))
        except RefusedAddressError as error:
            remedy = "add its network to allow_networks of the route, if it is meant"
            what = f"route {receiver.route.name}: {receiver.host} is refused, {error}"
            problems.append(Problem(what, WHERE, remedy))
        except OSError as error:
            what = f"route {receiver.route.name}: {receiver.host} is not known, {error.strerror}"
            problems.append(Problem(what, WHERE, "correct the host name"))
    return problems
