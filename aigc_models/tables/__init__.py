"""What the table families share: encoding, conditions, constraints, drawing rows and writing them."""
