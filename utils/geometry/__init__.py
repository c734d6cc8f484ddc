"""Frames, cameras, symmetries: pure geometry in NumPy."""
