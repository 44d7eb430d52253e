"""Language models that were trained elsewhere, made to write your kind of texts by LoRA."""
