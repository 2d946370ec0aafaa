"""An orchestrator as a team writes it for itself: plain Python that has never heard of telemetry."""
