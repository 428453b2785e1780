"""The scripts that made the files need other tools, and are not tests."""

collect_ignore_glob = ["written/make_*.py"]
