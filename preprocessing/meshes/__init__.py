"""Meshes: finding their files, reading every format into one structure, distances to a surface.

find.py       the meshes of a folder
load.py       load_mesh, the one entry; the table of formats
side_files.py finding the files that a mesh file names
textures.py   the pictures of textures
parts.py      the parts of a file as one Mesh
gltf/         glTF 2.0 -> Mesh
obj.py, off.py    read_scene(path): a trimesh scene, with what trimesh's reader leaves out
scene.py      a trimesh scene as one Mesh
materials.py  trimesh's materials as Material
polygons.py   polygons -> triangles
colours.py    conversions of colours
distances.py  points in space and their signed distances to a mesh
"""
