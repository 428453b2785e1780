"""The playground: a network that can be watched, stopped, opened and taken home."""
