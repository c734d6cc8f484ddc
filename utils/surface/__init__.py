"""From a scalar field to its surface: dense grids and their txt files, sparse grids, marching cubes."""
