"""From meshes or Im2Avatar folders to views, volumes, distances and HDF5 shards."""
