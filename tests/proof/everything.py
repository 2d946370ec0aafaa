"""A program that says everything there is to say: `python everything.py FOLDER`. The examples, and each event by hand.

Nobody does all of it in one run, so what a framework did not do is told by `otel_agents.record`, with every argument.
"""

from __future__ import annotations

import contextlib
import io
import runpy
import sys
from pathlib import Path

import otel_agents
from otel_agents import recording
from otel_agents.semconv import export
from otel_agents.semconv.events import EVENTS

PROGRAM = Path(__file__).parents[1] / "dashboards" / "program.py"
OF_TYPE: dict[str, object] = {
    "string": "said", "int": 3, "double": 2.5, "boolean": True, "string[]": ["said"], "json": [{"id": "said"}],
}  # fmt: skip
FACETS = {"input": [{"facet": "brief", "direction": "input"}]}


def say_all() -> None:
    """Tell of each event with every argument, in a run whose envelope has all that an envelope may have."""
    with (
        otel_agents.run("everything", thread_id="t-1", work_order_id="wo-1", channel="mail") as run,
        otel_agents.plan() as plan,
        otel_agents.node("said", kind="tool") as node,
    ):
        plan.set(version=3, node_count=2)
        node.set({"flex.facet.provenance": FACETS, "flex.node.id": "said"})
        for event in EVENTS:
            known = {name: OF_TYPE[export.known(attribute).type] for name, attribute in recording.fields(event).items()}
            getattr(otel_agents.record, event.name)(**known, duration_s=2.5)
        run.set(reason="all said")


def main() -> None:
    """Play the examples, and say the rest."""
    with contextlib.redirect_stdout(io.StringIO()):
        runpy.run_path(str(PROGRAM))["play"](Path(sys.argv[1]))
    say_all()


if __name__ == "__main__":
    main()
