"""What others publish, written again by us from their descriptions, so that a benchmark needs nothing of theirs."""
