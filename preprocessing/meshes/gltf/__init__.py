"""glTF 2.0 files -> Mesh.

read.py        read(path), the whole way
schema.py      types and ranges of the header
schema_looks.py, schema_base.py    those of materials and textures; those of all parts
container.py   .gltf or .glb file -> header and binary chunk
extensions.py  which extensions are read, ignored, refused
uris.py        files and data that a header names
buffers.py, accessors.py    bytes; arrays
nodes.py       places of the meshes in the scene, instances
primitives.py, draco.py     triangles and attributes of vertices, morphed
skins.py       vertices that follow joints
materials.py   factors, textures and their coordinates
placing.py     a surface at one of its places
"""
