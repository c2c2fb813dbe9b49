"""Decides: generators and pure functions that say what to do, and do nothing themselves."""
