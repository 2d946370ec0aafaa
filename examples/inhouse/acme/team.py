"""The agents, the one tool that they have, and who is at work."""

from dataclasses import dataclass


class Flaky(Exception):
    """The search did not answer; asking again may help."""


@dataclass
class Draft:
    text: str
    read: int
    written: int


class Library:
    def __init__(self):
        self.asked = 0

    def search(self, words):
        self.asked += 1
        if self.asked == 1:
            raise Flaky("timeout")
        return ["a paper", "a talk"]


class Team:
    def __init__(self):
        self.current = "coordinator"
        self.library = Library()

    def hand_over(self, agent):
        self.current = agent

    def work(self, step, before):
        """Return what the agent makes of the step; a script stands for the model."""
        if step.agent == "researcher":
            found = self.library.search(step.task)
            return Draft(f"{len(found)} sources", 120, 40)
        if step.agent == "writer":
            return Draft(f"A brief from {before}.", 300, 90)
        return Draft(f"published: {before}", 20, 5)
