"""A tiny pretrained language model with random weights, written and read by the real packages."""

from pathlib import Path

import torch

from aigc_models.pretrained_lm.hub import open_hub

WORDS = "the fast player scores a level; a server sends a packet to the client. 文本 play score host buffer cursor line"
END = "<|end|>"


def write_base(folder: Path, vocabulary: int = 320) -> Path:
    """A folder as Hugging Face's packages write one: Llama with two layers, byte-level pieces, safetensors."""
    transformers = open_hub().transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    cut = Tokenizer(models.BPE())
    cut.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    cut.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    learning = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    cut.train_from_iterator([WORDS] * 4, learning)
    transformers.PreTrainedTokenizerFast(tokenizer_object=cut, eos_token=END).save_pretrained(str(folder))
    config = transformers.LlamaConfig(
        vocab_size=vocabulary + 8,  # padded, as many are
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=64,
        initializer_range=0.3,  # its scores are far enough apart for teaching to change them
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.LlamaForCausalLM(config).save_pretrained(str(folder))
    return folder
