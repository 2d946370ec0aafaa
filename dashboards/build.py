"""Write boards, rules and their reference page from the tables; the entry point, and nothing else.

python -m dashboards.build                                     # write what the repository keeps
python -m dashboards.build --check                             # fail, with the difference, when it is stale
python -m dashboards.build --limits my.yaml --into /etc/agents # write boards and rules under limits of one's own
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from dashboards import checklist, classic, reference, rulefiles
from dashboards.boards import boards
from dashboards.limits import Limits, read_limits

ROOT: Final = Path(__file__).parents[1]


def made(limits: Limits) -> dict[str, str]:
    """Return the text of every board and file of rules by its path below `dashboards`."""
    drawn = {f"grafana/{each.uid}.json": classic.to_json(each) for each in boards(limits)}
    return drawn | {f"rules/{name}.yaml": text for name, text in rulefiles.files(limits).items()}


def kept() -> Mapping[Path, str]:
    """Return the text of every file that the repository keeps."""
    limits = Limits()
    found = {ROOT / "dashboards" / name: text for name, text in made(limits).items()}
    pages = ROOT / "docs" / "reference"
    return found | {pages / "alerts.md": reference.to_markdown(limits), pages / "checklist.md": checklist.page()}


def stale() -> Iterator[tuple[Path, str, str]]:
    """Yield the files that are not as they should be: path, text there, text wanted ("" where none is)."""
    wanted = kept()
    for path, text in wanted.items():
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        if there != text:
            yield path, there, text
    for pattern in ("grafana/*.json", "rules/*.yaml"):
        for path in sorted((ROOT / "dashboards").glob(pattern)):
            if path not in wanted:
                yield path, path.read_text(encoding="utf-8"), ""


def _write(path: Path, text: str) -> None:
    if text:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    else:
        path.unlink()
    print(f"{'wrote' if text else 'removed'} {path}")


def _check() -> int:
    found = list(stale())
    for path, there, text in found:
        name = path.relative_to(ROOT).as_posix()
        before, after = there.splitlines(keepends=True), text.splitlines(keepends=True)
        sys.stdout.writelines(difflib.unified_diff(before, after, name, "generated"))
        print(f"{name} is stale: run 'make generate' and commit what it writes", file=sys.stderr)
    return 1 if found else 0


def main(arguments: list[str]) -> int:
    """Write or compare; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.build", description=__doc__.partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="fail when what the repository keeps is stale")
    parser.add_argument("--limits", type=Path, metavar="FILE", help="a YAML file with limits that differ from ours")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="where to write instead of this repository")
    asked = parser.parse_args(arguments)
    if asked.limits and not asked.into:
        parser.error("--limits needs --into: what the repository keeps has our limits")
    if asked.check:
        return _check()
    if asked.into is None:
        for path, _, text in list(stale()):
            _write(path, text)
        return 0
    try:
        limits = read_limits(asked.limits) if asked.limits else Limits()
    except (OSError, ValueError) as error:
        parser.error(str(error))
    for name, text in made(limits).items():
        _write(asked.into / name, text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
