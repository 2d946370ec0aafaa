"""The pages of the docs, and what stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = sorted([*ROOT.glob("*.md"), *DOCS[1:], *(ROOT / "examples").rglob("*.md")])

FENCE = re.compile(r"^(?P<mark>```|~~~)(?P<info>.*)\n(?P<text>(?:.*\n)*?)(?P=mark)\n", re.MULTILINE)
CODE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: its language and what is said beside it, its text, and the line of its first line of text."""

    language: str
    said: str
    text: str
    line: int


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return FENCE.sub("", read(page))


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, in order."""
    text = read(page)
    for found in FENCE.finditer(text):
        language, _, said = found["info"].partition(" ")
        yield Block(language, said, found["text"], text.count("\n", 0, found.start("text")) + 1)


def spans(page: Path) -> list[str]:
    """Return what a page sets in code font within its prose."""
    return CODE.findall(prose(page))


def commands(page: Path) -> Iterator[str]:
    """Yield the commands that a page tells to type, and those that it mentions."""
    for block in blocks(page):
        if block.language == "console":
            yield from (line[2:].partition("  #")[0] for line in block.text.splitlines() if line.startswith("$ "))
    yield from spans(page)
