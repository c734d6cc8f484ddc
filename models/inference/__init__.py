"""What trained networks are used for: fields, meshes, cameras, reconstruction, evaluation."""
