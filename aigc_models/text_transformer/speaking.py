"""A text transformer that words answers for an assistant."""

from dataclasses import dataclass
from pathlib import Path

from aigc_models.text_transformer.saved import Saved, load
from aigc_models.writing.corpus import start_of
from aigc_models.writing.generating import Text, without_stop, write
from aigc_models.writing.sampling import Choice
from aigc_models.writing.speaking import Heard, Manner


@dataclass(frozen=True)
class TransformerSpeaker:
    """A trained text transformer as a :class:`~aigc_models.writing.speaking.Speaker`."""

    saved: Saved

    @property
    def room(self) -> int:
        """Tokens it looks back at most."""
        return self.saved.network.context

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self.saved.tokenizer.encode(text))

    def speak(self, prompt: str, manner: Manner, heard: Heard) -> list[str]:
        """Go on with a prompt, once for each seed."""
        tokenizer = self.saved.tokenizer
        stops = [stop.encode() for stop in manner.stops]
        start = [*start_of(tokenizer, {}), *tokenizer.encode(prompt)]
        texts = [Text(list(start), seed, manner.most, stops) for seed in manner.seeds]

        def said(text: Text) -> str:
            return without_stop(tokenizer.decode_bytes(text.written), stops).decode("utf-8", "replace")

        choice = Choice(manner.temperature, 0, manner.top_p)
        at_once = self.saved.network.rows_at_once(len(texts))
        for first in range(0, len(texts), at_once):
            some = texts[first : first + at_once]
            write(self.saved.network, tokenizer, choice, some, lambda _alive: heard(said(texts[0])))
        return [said(text) for text in texts]


def load_speaker(directory: Path, device: str) -> TransformerSpeaker:
    """Read a trained model."""
    return TransformerSpeaker(load(directory, device))
