"""What can keep telemetry from being sent, one question per function; must not know how findings are shown."""
