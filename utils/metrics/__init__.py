"""The metrics, their definitions, their means."""
