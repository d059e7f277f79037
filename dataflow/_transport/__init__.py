"""How datapoints cross the border of a process or a thread, and nothing else. See README.md."""
