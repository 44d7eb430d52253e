"""What the pages of docs/reference/ are made of: one module per page, each of them derived from the code."""
