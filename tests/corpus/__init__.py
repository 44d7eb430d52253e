"""Files made to be imported, and files made to do harm."""
