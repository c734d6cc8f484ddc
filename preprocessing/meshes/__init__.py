"""Meshes: finding their files, reading every format into one structure, distances to a surface.

find.py       the meshes of a folder
load.py       load_mesh, the one entry; the table of formats
gltf/, obj/, ply/, off.py, stl.py    the formats
side_files.py finding the files that a mesh file names
textures.py   the pictures of textures
no_numbers.py how Windows programs write what is no number
colours.py    colours of any depth; the grey of surfaces without colours
polygons.py   polygons -> triangles
polygon_mesh.py    polygons with colours and textures as one Mesh
copies.py     faces stored once for each side
parts.py      the parts of a file as one Mesh
distances.py  points in space and their signed distances to a mesh
inside.py, patches.py, visibility.py    what is inside a mesh, also a broken one
"""
