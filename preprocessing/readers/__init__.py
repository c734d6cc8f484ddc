"""One object of a data layout to what a shard holds: a reader a layout, and their registry."""
