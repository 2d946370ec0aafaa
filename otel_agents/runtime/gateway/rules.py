"""Trigger rules: which message starts which agent, and why a message starts none; must not know agents."""

from __future__ import annotations

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Final

from otel_agents.runtime.cancelling import Clock
from otel_agents.runtime.gateway.messages import Message
from otel_agents.runtime.gateway.sessions import Session

NO_RULE: Final = "no_rule"
DISABLED: Final = "disabled"
SENDER_NOT_ALLOWED: Final = "sender_not_allowed"
FILTER_MISMATCH: Final = "filter_mismatch"
COOLDOWN: Final = "cooldown"
BUSY: Final = "busy"
# From the farthest miss to the nearest: of several rules that do not match, the nearest one says why.
REASONS: Final = (NO_RULE, DISABLED, SENDER_NOT_ALLOWED, FILTER_MISMATCH, COOLDOWN, BUSY)

MAX_WAITING: Final = 8
MAX_COOLDOWNS: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule. What is left out does not matter: no channels are all channels, no senders are all senders.

    ``pattern`` is a regular expression that is looked for in the text, without regard to case; ``when`` looks at the
    whole message, and what it raises reaches whoever handed the message in. After a match the rule rests for
    ``cooldown_s`` seconds in that session.

    Raises:
        ValueError: Channels or senders are one text, the pattern is no regular expression, or the cooldown is negative.
    """

    name: str
    agent: str
    channels: frozenset[str] = frozenset()
    senders: frozenset[str] = frozenset()
    pattern: str = ""
    when: Callable[[Message], bool] | None = None
    cooldown_s: float = 0.0
    enabled: bool = True
    _pattern: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("channels", "senders"):
            given = getattr(self, name)
            if isinstance(given, str):  # whatever is part of it would be let in
                problem = f"rule {self.name!r}: {name} is {given!r}; give a set, such as {{{given!r}}}"
                raise ValueError(problem)  # noqa: TRY004  # a bad value as all others here
            object.__setattr__(self, name, frozenset(given))
        if not self.cooldown_s >= 0:
            raise ValueError(f"rule {self.name!r}: cooldown_s is {self.cooldown_s}; give seconds from 0")
        try:
            object.__setattr__(self, "_pattern", re.compile(self.pattern, re.IGNORECASE))
        except re.error as error:
            raise ValueError(f"rule {self.name!r}: {self.pattern!r} is no regular expression: {error}") from error

    def concerns(self, channel: str) -> bool:
        """Whether it is a rule for this channel."""
        return not self.channels or channel in self.channels

    def miss(self, message: Message) -> str:
        """Return why the message does not fit, "" when it does."""
        if not self.enabled:
            return DISABLED
        if self.senders and message.sender not in self.senders:
            return SENDER_NOT_ALLOWED
        if not self._pattern.search(message.text) or (self.when is not None and not self.when(message)):
            return FILTER_MISMATCH
        return ""

    @property
    def summary(self) -> str:
        """What it looks at, for people."""
        return ", ".join(self._looked_at()) or "everything"

    def _looked_at(self) -> Iterator[str]:
        if self.channels:
            yield f"channel in {'|'.join(sorted(self.channels))}"
        if self.senders:
            yield f"sender in {'|'.join(sorted(self.senders))}"
        if self.pattern:
            yield f"text matches {self.pattern}"
        if self.when is not None:
            yield f"when {getattr(self.when, '__name__', type(self.when).__name__)}"


@dataclass(frozen=True, slots=True)
class Match:
    """A message fits a rule."""

    rule: Rule
    sender: str


@dataclass(frozen=True, slots=True)
class Skip:
    """A message fits no rule: the reason of the nearest miss, and how many rules there are for its channel."""

    reason: str
    candidates: int


class Rules:
    """Rules in their order: the first that fits is taken. ``reasons`` are all that a skip can have.

    Raises:
        ValueError: Two rules have the same name.
    """

    reasons: ClassVar = REASONS

    def __init__(
        self, rules: Iterable[Rule] = (), *, max_waiting: int = MAX_WAITING, clock: Clock = time.monotonic
    ) -> None:
        self.rules = tuple(rules)
        names = [rule.name for rule in self.rules]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two rules are named {name!r}")
        self._max_waiting = max_waiting
        self._clock = clock
        self._matched_s: OrderedDict[tuple[str, str], float] = OrderedDict()  # by rule and session

    def match(self, message: Message, session: Session) -> Match | Skip:
        """Return the first rule that fits, or why none does."""
        candidates = [rule for rule in self.rules if rule.concerns(message.channel)]
        nearest = NO_RULE
        for rule in candidates:
            reason = rule.miss(message) or self._rest(rule, session)
            if not reason:
                self._remember(rule, session)
                return Match(rule, message.sender)
            nearest = max(nearest, reason, key=REASONS.index)
        return Skip(nearest, len(candidates))

    def is_busy(self, session: Session) -> bool:
        """Whether as many runs wait in a session as may."""
        return len(session.runs) > self._max_waiting

    def _rest(self, rule: Rule, session: Session) -> str:
        matched_s = self._matched_s.get((rule.name, session.key))
        if matched_s is not None and self._clock() - matched_s < rule.cooldown_s:
            return COOLDOWN
        return BUSY if self.is_busy(session) else ""

    def _remember(self, rule: Rule, session: Session) -> None:
        if rule.cooldown_s:
            self._matched_s[rule.name, session.key] = self._clock()
            self._matched_s.move_to_end((rule.name, session.key))
            if len(self._matched_s) > MAX_COOLDOWNS:
                self._matched_s.popitem(last=False)
