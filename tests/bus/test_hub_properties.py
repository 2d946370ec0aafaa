"""What holds for the hub whatever anybody does, in whatever order."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from otel_agents.bus.event import Event
from otel_agents.bus.filters import Filter
from otel_agents.bus.hub import Hub
from otel_agents.bus.stream import Stream
from tests.bus.making import event

RING_SIZE = 4
TYPES = ("start", "node_start", "complete")
SOME_TYPES = st.none() | st.frozensets(st.sampled_from(TYPES))


@dataclass(eq=False)
class Client:
    """A reader, what it has to get, and what it got."""

    stream: Stream
    types: frozenset[str] | None
    due: list[Event]
    read: list[Event] = field(default_factory=list)


class HubMachine(RuleBasedStateMachine):
    """Publish, connect, read, reconnect and leave, against a model that keeps everything."""

    clients = Bundle("clients")

    def __init__(self) -> None:
        super().__init__()
        self.hub = Hub(ring_size=RING_SIZE)
        self.hub.keep_ring()
        self.all: list[Event] = []
        self.open: list[Client] = []
        self.lost = 0
        self.mirror = self.hub.stream(queue_size=10_000)

    @rule(name=st.sampled_from(TYPES))
    def publish(self, name: str) -> None:
        """Everybody who wants it has one event more to get."""
        self.hub.publish(event(name))
        (told,) = self.mirror.take()
        self.all.append(told)
        for client in self.open:
            self._owe(client, [told])

    @rule(target=clients, size=st.integers(1, 3), types=SOME_TYPES, back=st.none() | st.integers(0, 7))
    def connect(self, size: int, types: frozenset[str] | None, back: int | None) -> Client:
        """A client comes, with or without the id of the event that it saw last."""
        after_id = None if back is None else self.all[-back].id if 0 < back <= len(self.all) else ""
        stream = self.hub.stream(Filter(types), name="client", queue_size=size, after_id=after_id)
        client = Client(stream, types, [])
        ring = self.all[-RING_SIZE:]
        known = [one.id for one in ring]
        if after_id is not None:
            self._owe(client, ring[known.index(after_id) + 1 :] if after_id in known else ring)
        assert stream.gap == (bool(after_id) and after_id not in known)
        self.open.append(client)
        return client

    @rule(client=clients, amount=st.integers(1, 3))
    def read(self, client: Client, amount: int) -> None:
        """A client reads a few events."""
        client.read.extend(one for one in (client.stream.get(0) for _ in range(amount)) if one is not None)

    @rule(client=consumes(clients))
    def leave(self, client: Client) -> None:
        """A client leaves and reads what is left; then it has got all that it was not told to have lost."""
        client.stream.close()
        self.open.remove(client)
        client.read.extend(client.stream.take())
        assert len(client.read) + client.stream.dropped == len(client.due)
        self.lost += client.stream.dropped

    @invariant()
    def order_is_kept_and_nothing_comes_twice(self) -> None:
        """What a client read is a part of what it was due, in the same order."""
        for client in self.open:
            due = iter(client.due)
            assert all(one in due for one in client.read)

    @invariant()
    def every_loss_is_counted(self) -> None:
        """What is due was read, waits, or is counted as dropped, by the client and by the hub."""
        for client in self.open:
            assert len(client.due) == len(client.read) + len(client.stream) + client.stream.dropped
        lost = self.lost + sum(client.stream.dropped for client in self.open)
        assert self.hub.dropped.get("client", 0) == lost

    @invariant()
    def ids_sort_in_the_order_of_events(self) -> None:
        """The ring is the end of all that was published."""
        assert [one.id for one in self.all] == sorted({one.id for one in self.all})
        assert self.hub.replay() == self.all[-RING_SIZE:]

    def teardown(self) -> None:
        """Leave no thread behind."""
        self.hub.close()

    @staticmethod
    def _owe(client: Client, events: list[Event]) -> None:
        client.due.extend(one for one in events if client.types is None or one.type in client.types)


TestHub = HubMachine.TestCase
TestHub.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
