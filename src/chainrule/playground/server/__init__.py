"""The playground's server: one session for each learner, shown in a browser."""
