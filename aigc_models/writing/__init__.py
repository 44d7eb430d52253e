"""What families of texts share: tokens, attributes, drawing and judging texts."""
