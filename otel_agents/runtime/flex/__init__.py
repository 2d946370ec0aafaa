"""Flex: takes an envelope, plans, executes, asks humans, and answers over a stream; must not know telemetry."""
