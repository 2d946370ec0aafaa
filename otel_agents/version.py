"""The version of the distribution: the build reads it from here, so it must import nothing."""

__version__ = "0.1.0"
