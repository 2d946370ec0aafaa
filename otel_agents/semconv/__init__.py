"""The vocabulary as tables: attributes, metrics, events, kinds; must not know who uses it."""
