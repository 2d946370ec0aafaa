"""Read the YAML file with the place of every value, refusing what could mislead; must not know what values mean."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from otel_agents.config.problem import Problem, shown, suggestion
from otel_agents.config.values import Target

VERSION = 1
MAX_BYTES = 262_144
MAX_NODES = 10_000
MAX_DEPTH = 32
NOT_USED = "The file is not used"

_CORE = "tag:yaml.org,2002:"
_NULL = f"{_CORE}null"
_TYPED = frozenset(f"{_CORE}{name}" for name in ("null", "bool", "int", "float"))
_PLAIN = _TYPED | {f"{_CORE}{name}" for name in ("str", "seq", "map", "timestamp", "value")}

Keys = tuple[str | int, ...]


@dataclass(slots=True)
class Document:
    """What the file says.

    Attributes:
        values: For each key but `version` and `targets` its place and its value: text, or a list of texts.
        targets: The raw target rows.
        problems: What cannot be used.
    """

    values: dict[str, tuple[str, object]] = field(default_factory=dict)
    targets: tuple[Target, ...] = ()
    problems: list[Problem] = field(default_factory=list)


def read_document(path: str, known: tuple[str, ...]) -> Document:
    """Read the file; whatever is wrong with it is in `problems`, nothing is raised.

    Args:
        path: The file.
        known: The keys that may stand in it, beside `version` and `targets`.
    """
    document = Document()
    text = _text(path, document)
    if text is not None:
        root = _root(path, text, document)
        if root is not None:
            _Reader(path, document).read(root, known)
    return document


def _text(path: str, document: Document) -> str | None:
    try:
        raw = _bytes(Path(path))
        if len(raw) <= MAX_BYTES:
            return raw.decode("utf-8-sig")
        what = f"is larger than {MAX_BYTES} bytes"
    except UnicodeDecodeError:
        what = "is no UTF-8 text"
    except (OSError, ValueError) as error:
        what = f"cannot be read: {getattr(error, 'strerror', None) or type(error).__name__}"
    document.problems.append(Problem("config", path, what, f"Name a readable YAML file. {NOT_USED}."))
    return None


def _bytes(path: Path) -> bytes:
    # Looked at first: to open a named pipe would wait for ever for somebody who writes.
    if not path.is_file() and path.exists():
        raise OSError(errno.EINVAL, "not a regular file")
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _root(path: str, text: str, document: Document) -> yaml.MappingNode | None:
    loader: Any = None
    place, what = path, "is nested too deeply"
    try:
        loader = yaml.SafeLoader(text)
        node = loader.get_single_node()
        if isinstance(node, yaml.MappingNode):
            return node
        what = "is empty" if node is None else "is no mapping"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = path if mark is None else f"{path}:{mark.line + 1}:{mark.column + 1}"
        what = f"is no valid YAML: {error.problem or error.context}"
    except yaml.YAMLError:
        what = "is no valid YAML: it has characters that YAML does not allow"
    except RecursionError:
        pass
    finally:
        if loader is not None:
            loader.dispose()
    fix = f"Write a mapping that begins with `version: {VERSION}`. {NOT_USED}."
    document.problems.append(Problem("config", place, what, fix))
    return None


class _Reader:
    """Takes the tree of one file apart."""

    def __init__(self, path: str, document: Document) -> None:
        self.path = path
        self.document = document
        self.positions: dict[Keys, tuple[int, int]] = {}

    def read(self, root: yaml.MappingNode, known: tuple[str, ...]) -> None:
        if not self._is_plain(root) or not self._is_version(root):
            return
        for name, key, value in self._pairs(root):
            if name == "targets":
                self.document.targets = tuple(self._targets(value))
            elif name in known:
                self._setting(name, value)
            elif name != "version":
                fix = suggestion(name, (*known, "targets"), otherwise="Remove it.")
                self._problem(key, f"{shown(name)} is no setting of the file", fix)

    def _problem(self, node: yaml.Node, what: str, fix: str, setting: str = "") -> None:
        self.document.problems.append(Problem(setting, self._place(node), what, fix))

    def _place(self, node: yaml.Node) -> str:
        line, column = _position(node)
        return f"{self.path}:{line}:{column}"

    def _is_plain(self, root: yaml.Node) -> bool:
        """Walk over the whole tree, aliases followed, before anything is built from it."""
        left = MAX_NODES
        waiting: list[tuple[yaml.Node, int]] = [(root, 0)]
        while waiting:
            node, depth = waiting.pop()
            left -= 1
            fix = f"Write it out plainly. {NOT_USED}."
            if left < 0 or depth > MAX_DEPTH:
                what = f"{MAX_NODES} values" if left < 0 else f"{MAX_DEPTH} levels"
                self._problem(node, f"holds more than {what}, aliases followed", fix)
                return False
            if node.tag not in _PLAIN:
                name = "<<" if node.tag == f"{_CORE}merge" else node.tag
                self._problem(node, f"uses {shown(name)}, which is not supported", fix)
                return False
            waiting += [(child, depth + 1) for child in _children(node)]
        return True

    def _is_version(self, root: yaml.MappingNode) -> bool:
        found = [value for key, value in root.value if isinstance(key, yaml.ScalarNode) and key.value == "version"]
        fix = f"Write `version: {VERSION}`. {NOT_USED}."
        if not found:
            self._problem(root, "has no version", fix, "config")
        elif not (isinstance(found[0], yaml.ScalarNode) and found[0].value == str(VERSION)):
            given = shown(found[0].value) if isinstance(found[0], yaml.ScalarNode) else "a list or mapping"
            self._problem(found[0], f"the version is {given}, and only {VERSION} is known", fix, "config")
        else:
            return True
        return False

    def _pairs(self, mapping: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Yield name, key and value of each entry; of a name that comes twice the first."""
        seen: dict[str, int] = {}
        for key, value in mapping.value:
            if not isinstance(key, yaml.ScalarNode):
                self._problem(key, "the key is a list or mapping", "Write a name there.")
            elif key.value in seen:
                what = f"{shown(key.value)} is given twice, first in line {seen[key.value]}"
                self._problem(key, what, "Remove one of the two; the first is used.")
            else:
                seen[key.value] = _position(key)[0]
                yield key.value, key, value

    def _setting(self, name: str, node: yaml.Node) -> None:
        if node.tag == _NULL:
            return
        value: object = {}
        if isinstance(node, yaml.ScalarNode):
            value = node.value
        elif isinstance(node, yaml.SequenceNode) and all(isinstance(each, yaml.ScalarNode) for each in node.value):
            value = [each.value for each in node.value]
        self.document.values[name] = (self._place(node), value)

    def _targets(self, node: yaml.Node) -> Iterator[Target]:
        if not isinstance(node, yaml.SequenceNode):
            if node.tag != _NULL:
                self._problem(node, "targets is no list", "Write one `- method: ...` row per target.", "targets")
            return
        for each in node.value:
            if not isinstance(each, yaml.MappingNode):
                self._problem(each, "the target is no mapping", "Begin the row with `- method: ...`.", "targets")
                continue
            self.positions = {}
            row = dict(self._entries(each, ()))
            yield Target(row, self.path, *_position(each), self.positions)

    def _value(self, node: yaml.Node, path: Keys) -> object:
        if isinstance(node, yaml.SequenceNode):
            for at, each in enumerate(node.value):
                self.positions[(*path, at)] = _position(each)
            return [self._value(each, (*path, at)) for at, each in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return dict(self._entries(node, path))
        return _scalar(node)

    def _entries(self, node: yaml.MappingNode, path: Keys) -> Iterator[tuple[str, object]]:
        for name, key, value in self._pairs(node):
            self.positions[(*path, name)] = _position(key)
            yield name, self._value(value, (*path, name))


def _scalar(node: yaml.Node) -> object:
    """Return text, number, flag or None; what YAML would make a date or bytes stays as it was written."""
    if node.tag not in _TYPED:
        return node.value
    loader = yaml.SafeLoader("")
    try:
        value: object = loader.construct_object(node)
    except ValueError:  # such as `0x_`, which the resolver takes for a number
        value = node.value
    finally:
        loader.dispose()
    return value


def _position(node: yaml.Node) -> tuple[int, int]:
    mark = node.start_mark
    return (mark.line + 1, mark.column + 1)


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []
