"""Finding passages that answer a question: words, passages, BM25, a trained encoder, and both together."""
