"""From a scalar field to its surface: dense and sparse grids, txt files, marching cubes."""
