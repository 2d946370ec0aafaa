"""Compares and writes the page; ``--quick`` leaves out what takes longest, ``--prepare`` only installs."""

from __future__ import annotations

import argparse
import sys

from tests.frameworks import page
from tests.frameworks.comparing import Compared, compare
from tests.frameworks.homes import home
from tests.frameworks.suites import SUITES


def main() -> int:
    """Return 1 when a test ends differently with us."""
    parser = argparse.ArgumentParser(prog="python -m tests.frameworks", description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--prepare", action="store_true")
    parser.add_argument("--suite", choices=SUITES, action="append")
    asked = parser.parse_args()
    wanted = asked.suite or [name for name, suite in SUITES.items() if not (asked.quick and suite.is_long)]
    chosen = [SUITES[name] for name in wanted]
    if asked.prepare:
        sys.stdout.writelines(f"{suite.requirement}: {home(suite).source}\n" for suite in chosen)
        return 0
    compared = [compare(suite, quick=asked.quick) for suite in chosen]
    sys.stdout.writelines(map(_summary, compared))
    if not asked.quick:
        page.write(compared)
    return int(any(each.different.keys() - SUITES[each.name].explained.keys() for each in compared))


def _summary(each: Compared) -> str:
    named = [
        f"  {kind}: {name}: {how}\n" for kind in ("different", "unsteady") for name, how in getattr(each, kind).items()
    ]
    seconds = " and ".join(f"{one:.0f} s" for one in each.seconds)
    head = f"{each.name} {each.version}: without {dict(each.without)}, with {dict(each.with_us)}, {seconds}\n"
    return "".join((head, f"  made of it: {dict(each.counts)}\n", *named))


if __name__ == "__main__":
    sys.exit(main())
