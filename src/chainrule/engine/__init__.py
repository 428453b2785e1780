"""Engines: the same graph, run fast."""
