"""What is not Linux: tasks, locks and the log; a race; the search through its interleavings."""
