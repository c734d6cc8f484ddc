"""Building and checking a database."""
