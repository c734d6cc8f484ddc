"""PLY files -> Mesh: the tables of the file (`tables.py`) and what they mean (`read.py`)."""
