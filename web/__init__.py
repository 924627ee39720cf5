"""A folder that paints in browsers: the page, what it stands on, and a server to try it with."""
