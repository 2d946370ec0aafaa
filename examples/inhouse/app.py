"""An orchestrator of one's own, watched without a line of it changed: `targets.yaml` says where to look.

cd examples/inhouse
python app.py
OTEL_AGENTS_CONFIG=targets.yaml otel-agents run -- python app.py
"""

from acme.approvals import NeedsApproval, Verdict
from acme.engine import Engine, Job


def main():
    engine = Engine()
    job = Job("job-7", "a brief on agents", "customer-3")
    try:
        print(engine.run(job))
    except NeedsApproval as waits:
        print(f"waiting: {waits}?")
        engine.desk.answer(str(waits), Verdict.APPROVED)
        print(engine.run(job))


if __name__ == "__main__":
    main()
