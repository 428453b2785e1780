"""Drawing: the same graph, and the same training run, to look at."""
