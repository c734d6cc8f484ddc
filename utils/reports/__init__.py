"""The files that people look at: folders of results and the HTML report."""
