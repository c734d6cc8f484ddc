"""Mesh files of all kinds to one structure, and distances to them."""
