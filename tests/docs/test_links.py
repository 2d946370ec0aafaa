"""What the docs point at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, name, prose

LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#+\s+(.*?)\s*$", re.MULTILINE)


def _links(page: Path) -> list[str]:
    return [link for link in LINK.findall(prose(page)) if "://" not in link and not link.startswith("mailto:")]


def _anchors(page: Path) -> set[str]:
    """Name the headings of a page as GitHub does: lower case, no punctuation, dashes for blanks."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(prose(page))}


def _target(page: Path, link: str) -> Path:
    path = link.partition("#")[0]
    return (page.parent / path).resolve() if path else page


def _broken(page: Path, link: str) -> bool:
    target, anchor = _target(page, link), link.partition("#")[2]
    if not target.exists() or not target.is_relative_to(ROOT):
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in _anchors(target)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Every relative link of a page leads to a file of the repository, and to a heading where it names one."""
    assert [link for link in _links(page) if _broken(page, link)] == []


def test_a_broken_link_would_be_seen() -> None:
    """A missing file and a missing heading are broken, what is there is not."""
    links = ["LICENSE", "CONTRIBUTING.md#style", "nowhere.md", "CONTRIBUTING.md#nowhere"]

    assert [link for link in links if _broken(ROOT / "README.md", link)] == links[2:]


def test_every_page_can_be_found() -> None:
    """From the README, every page of the docs is reached by links."""
    found, left = {DOCS[0]}, [DOCS[0]]
    while left:
        page = left.pop()
        linked = {_target(page, link) for link in _links(page)} & {*DOCS}
        left += linked - found
        found |= linked

    assert {*DOCS} - found == set()
