"""Result folders and the HTML report."""
