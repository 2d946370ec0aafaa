"""Orchestrators that come along: plain code that is watched from outside; must not know telemetry."""
