"""Views and volumes of a mesh, written as a raw folder."""
