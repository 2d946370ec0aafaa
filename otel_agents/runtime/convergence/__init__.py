"""Converging runs: iterations of build, snapshot, verify and feedback until all gates pass; must not know telemetry."""

from otel_agents.runtime.cancelling import Cancel, Cancelled
from otel_agents.runtime.convergence.loop import Loop
from otel_agents.runtime.convergence.records import Answer, Delivery, Iteration, Outcome, Question, Task, Verdict
from otel_agents.runtime.convergence.run import Run
from otel_agents.runtime.convergence.strategies import STRATEGIES, Strategy
from otel_agents.runtime.convergence.turn import Gate, Paused, Turn

__all__ = [
    "STRATEGIES",
    "Answer",
    "Cancel",
    "Cancelled",
    "Delivery",
    "Gate",
    "Iteration",
    "Loop",
    "Outcome",
    "Paused",
    "Question",
    "Run",
    "Strategy",
    "Task",
    "Turn",
    "Verdict",
]
