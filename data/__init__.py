"""Reading and writing the training data: raw folders, lists, shards, tf.data input."""
