"""Rows of a YAML file made into rows of an adapter, and told about; must not know signals nor who reads the file."""
