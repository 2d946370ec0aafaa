"""The stream of events inside one process, for whoever wants to watch; must not know OpenTelemetry or operations."""
