"""Values are held against schemas here, so that one place can be watched; must not know where values are from."""

from __future__ import annotations

import asyncio
from typing import Literal

from otel_agents.runtime.flex.problem import Detail
from otel_agents.runtime.flex.schema import Schema

Scope = Literal["input", "output", "final"]


class Validator:
    """Checks values. One call is one validation, which an observer sees."""

    async def validate(
        self, scope: Scope, schema: Schema, value: object, attempt: int = 1, *, retried: bool = False
    ) -> tuple[Detail, ...]:
        """Return what is wrong with a value, without the value; nothing when it is valid.

        The work is done in a thread: it may take a second, in which other runs go on.

        Args:
            attempt: Which attempt at the node gave the value.
            retried: Whether the node is tried again if something is wrong; for observers.
        """
        return await asyncio.to_thread(schema.details, value)
