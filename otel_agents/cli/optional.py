"""Options whose value may be left out: `--serve` and `--serve HOST:PORT`; must not know what they mean.

Neither click nor typer can do this dependably across their versions, so what is left out is filled in before they look.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Final, NamedTuple

from typer.core import TyperCommand, TyperOption


class Optional(NamedTuple):
    """What the next word has to look like to be the value, and the value otherwise."""

    pattern: re.Pattern[str]
    default: str


ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:/]*):\d+|\d+")
REPORT: Final = re.compile(r".*\.(html|json)")


def filled(words: Sequence[str], optional: Mapping[str, Optional], valued: Collection[str]) -> list[str]:
    """Return the words with the values that were left out, up to the program.

    `valued` are the options that always have a value, as a word of its own or after `=`.
    """
    done, rest = list[str](), list(words)
    while rest and rest[0].startswith("-") and rest[0] != "--":
        word = rest.pop(0)
        if word in optional:
            pattern, default = optional[word]
            value = rest.pop(0) if rest and pattern.fullmatch(rest[0]) else default
            done.append(f"{word}={value}")
            continue
        done.append(word)
        if word in valued and rest:
            done.append(rest.pop(0))
    return [*done, *rest]


class Command(TyperCommand):
    """A command with such options."""

    optional: ClassVar[Mapping[str, Optional]] = {
        "--serve": Optional(ADDRESS, "127.0.0.1:9465"),
        "--profile": Optional(REPORT, "otel-agents-profile.html"),
    }

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was given and what was left out."""
        options = [each for each in self.params if isinstance(each, TyperOption) and not each.is_flag]
        valued = {word for each in options for word in each.opts}
        return super().parse_args(ctx, filled(args, self.optional, valued))
