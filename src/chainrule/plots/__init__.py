"""Pictures of training, by matplotlib, and the report."""
