"""Measurements: both sides in one process, medians of repeated runs, the machine's matrix rate."""
