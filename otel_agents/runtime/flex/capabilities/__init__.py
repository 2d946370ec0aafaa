"""What plans are made of: capabilities, their contracts, and those that come along; must not know plans or runs."""

from otel_agents.runtime.flex.capabilities.capability import ANY, Capability, CapabilityError, Kind, Task, Work
from otel_agents.runtime.flex.capabilities.registry import Registry

__all__ = ["ANY", "Capability", "CapabilityError", "Kind", "Registry", "Task", "Work"]
