"""The bus on NATS JetStream, and the connection the JetStream store shares with it.

The only package that knows the NATS client. Configurations of streams and consumers are our own
JSON, sent raw: the client's types drop what they do not know.
"""

from shared.bus.jetstream.bus import JetStreamBus, open_bus
from shared.bus.jetstream.connection import Connection, connect
from shared.bus.jetstream.streams import ensure_topology

__all__ = ["Connection", "JetStreamBus", "connect", "ensure_topology", "open_bus"]
