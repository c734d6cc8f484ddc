"""Frames, files, runs, metrics and meshes: what several entry points share."""
