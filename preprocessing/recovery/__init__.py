"""Estimates of what a data set does not state: cameras, axes, distances, surfaces, colours."""
