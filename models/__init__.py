"""Networks, their settings and weights, inference and training."""

from utils.quiet import start_tensorflow_quietly

start_tensorflow_quietly()  # also where no command has begun, such as in a notebook
