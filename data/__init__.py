"""Reading and writing of what is trained on: raw folders, lists, shards, tf.data input."""
