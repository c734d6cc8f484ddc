"""Measurements: both sides in one process, medians of repeated runs, beside the machine's own matrix rate."""
