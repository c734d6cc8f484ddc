"""Metrics of voxels, surfaces and cameras, and the means over images."""
