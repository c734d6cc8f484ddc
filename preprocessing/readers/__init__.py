"""Readers of data layouts: each turns an object of its layout into the record of a shard."""
