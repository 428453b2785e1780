"""Real tables, the models that learn them, and what came of it."""
