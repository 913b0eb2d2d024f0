"""Named Log Analytics queries and the rows that they give."""
