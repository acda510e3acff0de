"""What is logged: how a record becomes a line, and where lines are written."""
