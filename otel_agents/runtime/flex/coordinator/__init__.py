"""The life of runs, from the envelope to the last frame; must not know HTTP."""

from otel_agents.runtime.flex.coordinator.coordinator import Coordinator
from otel_agents.runtime.flex.coordinator.segment import Accepted, Ending, Segment

__all__ = ["Accepted", "Coordinator", "Ending", "Segment"]
