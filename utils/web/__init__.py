"""The web page that reconstructs images: its layout, its requests and its queue."""
