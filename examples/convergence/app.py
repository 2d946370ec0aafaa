"""Have a function rewritten until its gates pass, ask a human, and hand it over.

    python app.py                            # green in the third iteration, approved, delivered
    python app.py --decision rejected        # the human says no: the run fails
    python app.py --strategy fixed           # all iterations, whatever the gates say
    python app.py --cancel-after 0.2 --pace 1  # somebody stops it

No key and no network needed: a script plays the model. The gates are real: they run what it wrote.
"""

from __future__ import annotations

import argparse
import ast
import asyncio
import logging
import tempfile
from pathlib import Path
from typing import Any

from otel_agents.runtime.convergence import Answer, Delivery, Gate, Loop, Outcome, Run, Task, Turn

GOAL = "Write slugify(title): lower case, words joined by single hyphens, no punctuation."
CASES = {"Hello World": "hello-world", "  Two  spaces ": "two-spaces", "What's new?": "whats-new"}

# What the model answers, one attempt after the other.
SCRIPT = (
    "def slugify(title): return title.lower().replace(' ', '-')",
    "def slugify(title):\n    return '-'.join(title.lower().split())",
    (
        'def slugify(title):\n    """Return a title as it stands in an address."""\n'
        "    return '-'.join(''.join(c for c in title.lower() if c.isalnum() or c == ' ').split())"
    ),
)

logger = logging.getLogger("slugify")


class Writer:
    """Stand for a model that writes code."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    async def write(self, turn: Turn) -> str:
        logger.info("writing attempt %d", turn.iteration.number)
        await asyncio.sleep(self._pace)
        return SCRIPT[min(turn.iteration.number, len(SCRIPT)) - 1]


def keep(turn: Turn) -> str:
    """Keep the attempt in a file, so that the gates look at what is delivered later."""
    path = Path(tempfile.gettempdir()) / f"slugify-{turn.task.run_id}.py"
    path.write_text(turn.iteration.results["build"] + "\n", encoding="utf-8")
    return str(path)


def run_cases(turn: Turn) -> dict[str, str]:
    """Return what goes wrong, by input."""
    space: dict[str, Any] = {}
    exec(Path(turn.iteration.results["snapshot"]).read_text(encoding="utf-8"), space)  # noqa: S102
    found = {title: space["slugify"](title) for title in CASES}
    return {title: slug for title, slug in found.items() if slug != CASES[title]}


def tests_pass(turn: Turn) -> tuple[bool, str]:
    wrong = turn.iteration.results["verify"]
    logger.info("%d of %d cases are right", len(CASES) - len(wrong), len(CASES))
    return not wrong, "; ".join(f"{title!r} became {slug!r}" for title, slug in wrong.items())


def is_documented(turn: Turn) -> tuple[bool, str]:
    (function,) = ast.parse(turn.iteration.results["build"]).body
    return isinstance(function, ast.FunctionDef) and bool(ast.get_docstring(function)), "there is no docstring"


def is_approved(turn: Turn) -> bool:
    """Ask a human, once all that machines can say is good."""
    return all(verdict.passed for verdict in turn.iteration.verdicts) and turn.ask("May this go out?").is_yes


def hand_over(turn: Turn) -> Delivery:
    path = Path(turn.iteration.results["snapshot"])
    return Delivery(success=path.exists(), pr_url=path.as_uri(), ci_status="passed")


def build(pace: float) -> Loop:
    """Return the loop; `pace` is how long the model takes, in seconds."""
    gates = [Gate("tests", tests_pass), Gate("docs", is_documented), Gate("approval", is_approved)]
    return Loop(Writer(pace).write, gates, snapshot=keep, verify=run_cases, deliver=hand_over, name="slugify")


async def play(run: Run, answer: Answer, cancel_after: float | None = None) -> Outcome:
    """Have a run go on to its end; a question gets the answer."""
    if cancel_after is not None:
        asyncio.get_running_loop().call_later(cancel_after, run.cancel, "operator")
    outcome = await run.go()
    while outcome.question is not None:
        print(f"{outcome.question.text} {answer.decision}")
        run.answer(answer)
        outcome = await run.go()
    return outcome


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    option = parser.add_argument
    option("--pace", type=float, default=0.05, help="seconds the model takes")
    option("--strategy", choices=("until_green", "while_improving", "fixed"), default="until_green")
    option("--max-iterations", type=int, default=4)
    option("--decision", choices=("approved", "rejected"), default="approved")
    option("--cancel-after", type=float, metavar="SECONDS", help="stop the run")
    option("--work-order", default="WO-17")
    return parser.parse_args()


def main() -> None:
    """Run the loop and print what came of it."""
    arguments = _arguments()
    task = Task(
        goal=GOAL,
        strategy=arguments.strategy,
        max_iterations=arguments.max_iterations,
        work_order_id=arguments.work_order,
    )
    run = build(arguments.pace).start(task)
    outcome = asyncio.run(play(run, Answer(arguments.decision), arguments.cancel_after))
    for iteration in outcome.iterations:
        gates = ", ".join(f"{each.gate} {'passed' if each.passed else 'failed'}" for each in iteration.verdicts)
        print(f"iteration {iteration.number}: {gates or 'not verified'}")
    print(f"{outcome.status}: {outcome.reason}")


if __name__ == "__main__":
    main()
