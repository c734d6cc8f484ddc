"""Entry points of evaluation; what they share lives in models, data and utils."""
