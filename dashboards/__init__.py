"""Dashboards, alerts and recording rules as tables over the vocabulary; must not be imported by the package."""
