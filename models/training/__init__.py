"""Training steps, the loop around them, and the flags of both training commands."""
