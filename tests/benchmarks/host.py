"""A program to be watched; it must not know that it is."""

from __future__ import annotations


def work(name: str, attempt: int = 1) -> str:
    """Do as little as a node can do."""
    return name
