"""`otel-agents audit`: what stands in audit files, as a person reads it."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Final

import typer

from otel_agents.audit.reading import GZIP, MAX_LINE, Quality, Unusable, lines, parsed, type_of
from otel_agents.cli import printing, words

LINES: Final = 10
LOOK_S: Final = 0.2
CHUNK: Final = 1 << 16
UNUSABLE: Final = 2
INTERRUPTED: Final = 130
TIME_WIDTH: Final = 24
TYPE_WIDTH: Final = 14
SAID: Final = frozenset({"type", "ts"})

app = typer.Typer(no_args_is_help=True, help="What happened to runs: audit files.")


@app.command()
def tail(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Audit files; compressed ones, too.")],
    *,
    number: Annotated[
        int, typer.Option("--lines", "-n", metavar="N", min=0, help="How many of the last lines.")
    ] = LINES,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what is written from now on, across rotations.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The records as they are, one a line.")] = False,
) -> None:
    """Show the last records of audit files.

    Lines that hold no record are left out, and counted on stderr.

    Exit codes: 0; 2 when a file cannot be read; 130 when following is ended by Ctrl-C.
    """
    printer = Printer(as_json=as_json)
    try:
        sources = [Growing(path) if follow and may_grow(path) else lines(path, Quality()) for path in files]
        growing = [each for each in sources if isinstance(each, Growing)]
        for source in sources:
            printer.show(deque(source.read() if isinstance(source, Growing) else source, maxlen=number))
        while growing:
            time.sleep(LOOK_S)
            for one in growing:
                printer.show(one.read())
    except Unusable as error:
        typer.echo(f"otel-agents: {error}", err=True)
        raise typer.Exit(UNUSABLE) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None
    finally:
        printer.finish()


class Printer:
    """Prints records, and counts the lines that hold none."""

    def __init__(self, *, as_json: bool) -> None:
        self._line = _json if as_json else _readable
        self._broken = 0
        self._out = printing.out()

    def show(self, lines_: Iterator[bytes] | deque[bytes]) -> None:
        """Print the records in these lines."""
        for line in lines_:
            record = parsed(line)
            if record is None or not type_of(record):
                self._broken += 1
            else:
                print(self._line(record), file=self._out, flush=True)  # not typer.echo, which is slow

    def finish(self) -> None:
        """Say what was left out."""
        if self._broken:
            typer.echo(f"otel-agents: {words.count(self._broken, 'line')} left out: no audit record", err=True)


def may_grow(path: Path) -> bool:
    """Whether a file may get more lines: a pipe is read to its end, and what is compressed has got all."""
    if path.exists() and not path.is_file():  # opened once only: who writes into a pipe would be cut off
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(GZIP)) != GZIP
    except OSError:  # said when it is read
        return True


class Growing:
    """A file that grows, may be moved away and be begun anew, or be emptied."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rest = b""
        self._open()

    def read(self) -> Iterator[bytes]:
        """Yield the whole lines that came since the last time.

        Raises:
            Unusable: The file cannot be read.
        """
        is_moved = self._is_moved()  # looked at before reading: what came until then is in the old file
        while chunk := self._file.read(CHUNK):
            *whole, self._rest = (self._rest + chunk).split(b"\n")
            self._rest = self._rest[:MAX_LINE]  # longer ones are no records
            yield from (line for line in whole if line.strip())
        if is_moved:
            self._file.close()
            self._open()
        elif os.fstat(self._file.fileno()).st_size < self._file.tell():
            self._rest = b""
            self._file.seek(0)

    def _open(self) -> None:
        try:
            self._file = self._path.open("rb")
        except OSError as error:
            raise Unusable(f"{self._path}: {error.strerror}") from None
        self._rest = b""

    def _is_moved(self) -> bool:
        try:
            return not os.path.samestat(os.fstat(self._file.fileno()), self._path.stat())
        except OSError:  # not yet begun anew, or not yet to be looked at
            return False


def _json(record: Mapping[str, object]) -> str:
    return json.dumps(record, separators=(",", ":"))


def _readable(record: Mapping[str, object]) -> str:
    said = " ".join(
        f"{name}={_value(value)}" for name, value in record.items() if name not in SAID and value is not None
    )
    return f"{words.clean(record.get('ts', '')):<{TIME_WIDTH}}  {type_of(record):<{TYPE_WIDTH}}  {said}"


def _value(value: object) -> str:
    return words.clean(json.dumps(value) if isinstance(value, bool) else value)
