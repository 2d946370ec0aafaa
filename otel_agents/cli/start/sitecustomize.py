"""Starts OpenTelemetry in every Python that inherits our PYTHONPATH, and nothing where it is not installed.

OpenTelemetry's own `sitecustomize` prints an error in an interpreter without it, and takes the place of a
`sitecustomize` that the host has. Any Python may come by here, so this is written for all of them: no annotations,
no functions, nothing new. It must not know us: the instrumentor is found by its entry point.
"""

# ruff: noqa: INP001, PTH100, PTH118, PTH120
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))
_theirs = os.path.join("opentelemetry", "instrumentation", "auto_instrumentation")
_path = [_each for _each in sys.path if os.path.abspath(_each) != _here and not _each.rstrip(os.sep).endswith(_theirs)]

try:
    from importlib import import_module
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec
except ImportError:  # a Python that OpenTelemetry does not know either
    PathFinder = None  # type: ignore[assignment,misc]

_spec = PathFinder.find_spec("sitecustomize", _path) if PathFinder is not None else None
if _spec is not None and _spec.loader is not None:  # the host's own, which would have been loaded without us
    _module = module_from_spec(_spec)
    sys.modules["sitecustomize"] = _module
    _spec.loader.exec_module(_module)

if PathFinder is not None:
    try:
        _otel = import_module("opentelemetry.instrumentation.auto_instrumentation")
    except ImportError:
        _otel = None  # type: ignore[assignment]
    if _otel is not None:
        _before = os.environ.get("PYTHONPATH", "")
        # Not in programs that are started while OpenTelemetry starts: they would start it, too, without end.
        os.environ["PYTHONPATH"] = os.pathsep.join(_each for _each in _before.split(os.pathsep) if _each != _here)
        try:
            _otel.initialize()
        finally:
            os.environ["PYTHONPATH"] = _before
