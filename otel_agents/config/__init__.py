"""Settings from arguments, environment and a YAML file; must not know who acts on them."""

from otel_agents.config.load import Config, Options
from otel_agents.config.problem import ConfigError, Problem
from otel_agents.config.settings import SETTINGS, Setting, settings_markdown
from otel_agents.config.values import Address, Selection, Target

__all__ = [
    "SETTINGS",
    "Address",
    "Config",
    "ConfigError",
    "Options",
    "Problem",
    "Selection",
    "Setting",
    "Target",
    "settings_markdown",
]
