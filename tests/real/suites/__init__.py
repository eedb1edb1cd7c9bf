"""One story a module: its first line says what it shows, `run(suite)` shows it."""
