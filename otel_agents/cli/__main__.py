"""`python -m otel_agents.cli` is `otel-agents`."""

from otel_agents.cli import main

main()
