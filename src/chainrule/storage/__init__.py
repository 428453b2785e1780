"""What chainrule's files are made of: the container, checked completely when it is read; checkpoints."""
