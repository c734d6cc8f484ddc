"""Entry points of training; what they share lives in models, data and utils."""
