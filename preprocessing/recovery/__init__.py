"""What a data set does not hold, recovered from what it does: cameras, distances, surfaces, colours."""
