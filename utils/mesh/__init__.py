"""Meshes in memory: sampling, voxels, components, textures, and the files they are written to."""
