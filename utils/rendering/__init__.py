"""Pictures of meshes, voxels and points."""
