"""OBJ files and their material libraries -> Mesh; `read.py` is the way from file to mesh."""
