"""Does what the core asks: requests, time, files. Decides nothing."""
