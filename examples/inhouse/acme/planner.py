"""Turns a goal into steps, and makes a new plan when one does not hold."""

from dataclasses import dataclass, field


class PlanRefused(Exception):
    """The plan breaks rules."""

    def __init__(self, rules):
        super().__init__(f"breaks {len(rules)} rules")
        self.rules = rules


@dataclass
class Step:
    id: str
    agent: str
    task: str
    result: str | None = None


@dataclass
class Plan:
    version: int
    steps: list[Step] = field(default_factory=list)

    @property
    def todo(self):
        return [step for step in self.steps if step.result is None]


class Planner:
    """The first proposal forgets that a brief needs a writer, which a rule notices."""

    def __init__(self):
        self.version = 0

    def build(self, goal, attempt=1):
        agents = ["researcher", "publisher"] if attempt == 1 else ["researcher", "writer", "publisher"]
        if "writer" not in agents:
            raise PlanRefused(["no_writer"])
        self.version += 1
        steps = [Step(f"{number}-{agent}", agent, f"{agent} works on {goal}") for number, agent in enumerate(agents, 1)]
        return Plan(self.version, steps)
