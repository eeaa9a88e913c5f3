"""The one consumer group of a history: who is in it, and who has which partitions."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from aiokafka.errors import CommitFailedError, UnknownMemberIdError
from simulated_broker import Broker, name_of, shown
from virtual_loop import Process

from streams.transport.ledger import Partition


@dataclass(slots=True)
class Member:
    """A member of the group, as the coordinator sees it."""

    process: Process
    seen_s: float
    join: Callable[[tuple[int, frozenset[Partition]]], None] | None = None


class Group:
    """The members of the one consumer group and who has what."""

    def __init__(
        self, broker: Broker, topics: Iterable[str], *, session_s: float, rebalance_s: float
    ) -> None:
        self.broker = broker
        self.partitions = [
            Partition(topic, number) for topic in topics for number in range(broker.topics[topic])
        ]
        self.session_s = session_s
        self.rebalance_s = rebalance_s
        self.generation = 0
        self.is_preparing = False
        self.members: dict[str, Member] = {}
        self._round = 0

    def join(
        self,
        name: str,
        process: Process,
        answer: Callable[[tuple[int, frozenset[Partition]]], None],
    ) -> None:
        """Take part in the next generation; the answer comes when everybody has joined."""
        self.members[name] = Member(process, self.broker.loop.time(), answer)
        self._prepare(f"{name} joins")
        self._complete_when_all_joined()

    def leave(self, name: str) -> None:
        """Take part no more."""
        if self.members.pop(name, None) is not None:
            self._prepare(f"{name} leaves")
            self._complete_when_all_joined()

    def heartbeat(self, name: str, generation: int) -> bool:
        """Return whether the member is to join again.

        Raises:
            UnknownMemberIdError: It was thought dead.
        """
        member = self.members.get(name)
        if member is None:
            raise UnknownMemberIdError
        member.seen_s = self.broker.loop.time()
        return self.is_preparing or generation != self.generation

    def commit(self, name: str, generation: int, offsets: dict[Partition, int]) -> None:
        """Commit offsets of a member.

        Raises:
            CommitFailedError: It is not, or no longer, a member of that generation.
        """
        if name not in self.members or generation != self.generation:
            raise CommitFailedError
        self.broker.note(f"{name} commits {shown(offsets)}")
        self.broker.offsets.update(offsets)

    def look_for_dead(self) -> None:
        """Drop members that have not been heard of for a session."""
        now = self.broker.loop.time()
        for name, member in list(self.members.items()):
            if member.join is None and now - member.seen_s > self.session_s:
                self.broker.note(f"the group misses {name}")
                self.leave(name)

    def _prepare(self, why: str) -> None:
        if self.is_preparing:
            return
        self.broker.note(f"rebalance: {why}")
        self.is_preparing = True
        self._round += 1
        self.broker.loop.in_world(self.rebalance_s, self._complete_without, self._round)

    def _complete_without(self, number: int) -> None:
        """Go on without those who have not come in time."""
        if self.is_preparing and number == self._round:
            for name in [n for n, member in self.members.items() if member.join is None]:
                del self.members[name]
            self._complete_when_all_joined()

    def _complete_when_all_joined(self) -> None:
        if not self.members:
            self.is_preparing = False
            return
        if any(member.join is None for member in self.members.values()):
            return
        self.is_preparing = False
        self.generation += 1
        names = sorted(self.members)
        shares: dict[str, set[Partition]] = {name: set() for name in names}
        for partition in self.partitions:
            shares[self.broker.choices.choice(names)].add(partition)
        said = {name: " ".join(map(name_of, sorted(shares[name]))) for name in names}
        self.broker.note(f"generation {self.generation}: {said}")
        for name, member in self.members.items():
            assert member.join is not None
            answer, member.join = member.join, None
            member.seen_s = self.broker.loop.time()
            answer((self.generation, frozenset(shares[name])))
