"""The desk where a human approves: a question that nobody answered stops the job."""

from enum import Enum


class Verdict(Enum):
    APPROVED = "approved"
    REJECTED = "rejected"


class NeedsApproval(Exception):
    """The job waits; run it again when there is an answer."""


class Desk:
    def __init__(self):
        self.answers = {}

    def ask(self, question):
        if question not in self.answers:
            raise NeedsApproval(question)
        return self.answers[question]

    def answer(self, question, verdict):
        self.answers[question] = verdict
