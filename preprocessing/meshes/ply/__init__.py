"""PLY files -> Mesh.

read.py            what the elements and properties of a file mean
tables.py          the elements as arrays
multi_textures.py  texture coordinates in elements of their own, as Artec writes them
"""
