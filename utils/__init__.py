"""The library that all packages build on: geometry, images, meshes, metrics, reports, commands."""
