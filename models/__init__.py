"""The network: encoder, projection, decoders, losses, and the field they make."""
