"""Runs jobs: plans, hands over, works, validates, tries again, asks."""

from dataclasses import dataclass

from acme.approvals import Desk, Verdict
from acme.planner import Planner, PlanRefused
from acme.team import Flaky, Team
from acme.validation import Validator

ATTEMPTS = 3


class Invalid(Exception):
    """What the agent returned is no good."""


@dataclass
class Job:
    id: str
    goal: str
    customer: str


class Engine:
    def __init__(self):
        self.planner, self.team, self.validator, self.desk = Planner(), Team(), Validator(), Desk()
        self.plans = {}

    def run(self, job):
        """Return the last result; raises NeedsApproval when a human has to answer first."""
        plan = self.plans.get(job.id) or self.make_plan(job)
        self.plans[job.id] = plan
        result = next((step.result for step in reversed(plan.steps) if step.result), job.goal)
        for step in plan.todo:
            if step.agent == "publisher" and self.desk.ask(f"publish {job.id}") is Verdict.REJECTED:
                return "not published"
            if self.team.current != step.agent:
                self.team.hand_over(step.agent)
            result = step.result = self.run_step(step, result).text
        return result

    def make_plan(self, job):
        for attempt in (1, 2):
            try:
                return self.planner.build(job.goal, attempt)
            except PlanRefused:
                continue
        raise LookupError("no plan holds")

    def run_step(self, step, before):
        for attempt in range(1, ATTEMPTS):
            try:
                return self.attempt(step, before)
            except (Flaky, Invalid) as error:
                self.try_again(step, attempt, error)
        return self.attempt(step, before)

    def attempt(self, step, before):
        draft = self.team.work(step, before)
        if self.validator.problems(step, draft.text):
            raise Invalid(step.id)
        return draft

    def try_again(self, step, attempt, error):
        """A place to wait in, and to write a line."""
        print(f"  {step.agent}: attempt {attempt} failed, {type(error).__name__}")
