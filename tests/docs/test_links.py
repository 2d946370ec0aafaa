"""What the docs point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)


def _prose(page: Path) -> str:
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def _anchors(page: Path) -> set[str]:
    """Name the headings of a page as GitHub does: lower case, no punctuation, dashes for blanks."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(_prose(page))}


def _broken(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in _anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the repository, and to a heading where it names one."""
    links = [link for link in LINK.findall(_prose(page)) if "://" not in link and not link.startswith("mailto:")]

    assert [link for link in links if _broken(page, link)] == []


def test_a_broken_link_would_be_seen() -> None:
    """A missing file and a missing heading are broken, what is there is not."""
    links = ["LICENSE", "CONTRIBUTING.md#style", "nowhere.md", "CONTRIBUTING.md#nowhere"]

    assert [link for link in links if _broken(ROOT / "README.md", link)] == links[2:]
