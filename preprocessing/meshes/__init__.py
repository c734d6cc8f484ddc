"""Meshes: finding their files, reading every format into one structure, distances to a surface.

find.py       the meshes of a folder
load.py       load_mesh, the one entry; the table of formats
gltf.py, obj.py, off.py    read_scene(path): a trimesh scene, with what trimesh's reader leaves out
scene.py      a trimesh scene as one Mesh
materials.py  trimesh's materials as Material
colours.py    conversions of colours
distances.py  points in space and their signed distances to a mesh
inside.py, patches.py, visibility.py    what is inside a mesh, also a broken one
"""
