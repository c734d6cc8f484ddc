"""Images of meshes, voxels and points."""
