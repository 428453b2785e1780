"""Engines: they turn a recorded graph into a fast program."""
