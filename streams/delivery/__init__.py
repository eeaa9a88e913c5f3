"""What leaves the monitor: the board in Redis."""
