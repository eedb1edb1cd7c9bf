"""What the suites stand on: places, processes, servers, the daemon, and the report."""
