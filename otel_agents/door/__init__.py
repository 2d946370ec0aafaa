"""Keeps an HTTP and WebSocket app from those whom it is not for; must not know what the app does, nor telemetry."""

from otel_agents.door.entrance import MAX_BODY, MAX_CONNECTIONS, OPEN_PATHS, Door
from otel_agents.door.hosts import is_loopback
from otel_agents.door.replies import Reply, error_content

__all__ = ["MAX_BODY", "MAX_CONNECTIONS", "OPEN_PATHS", "Door", "Reply", "error_content", "is_loopback"]
