"""SASRec: self-attention over what each user did, in order, says what comes next."""
