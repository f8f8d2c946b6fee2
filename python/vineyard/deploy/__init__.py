"""Starting daemons from Python."""
