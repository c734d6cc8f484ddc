"""Frames, cameras and symmetries: pure geometry in NumPy."""
