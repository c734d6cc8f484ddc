"""The network: encoder, projection, decoders, losses, and the field they make."""

from utils.quiet import start_tensorflow_quietly

start_tensorflow_quietly()  # also where no command has begun, such as in a notebook
