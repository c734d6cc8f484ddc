"""Runs, TF1 checkpoints and encoder weights: where weights come from and go to."""
