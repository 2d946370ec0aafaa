"""Audit records: written, summed up, compared; must not know signals, nor who makes the events."""
