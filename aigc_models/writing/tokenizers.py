"""From text to tokens and back, without losing anything: bytes, characters, or pieces of words learnt from the data.

Every token stands for some bytes, and a text is the bytes of its tokens in a row; so what one token cannot say, such as
half a character, several can. The first two tokens are marks that no text can hold: the end of a document, and the
begin of its body after what is known of it.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sentencepiece

END, BODY = 0, 1
MARKS = 2
SPACE = "▁"  # how SentencePiece writes a blank, and therefore no text of its own

Kind = Literal["bytes", "characters", "pieces"]

FILE, PIECES_FILE = "tokenizer.json", "tokenizer.model"
_BYTES = [bytes([value]) for value in range(256)]
_MOST_LEARNT = 2_000_000  # characters that pieces are learnt from; more change few of them
_LINE = 1000  # characters of a line that pieces are learnt from; SentencePiece leaves out lines above 4,192 bytes


@dataclass(frozen=True)
class Tokenizer:
    """A way to write text as numbers.

    Attributes:
        kind: How it cuts text.
        pieces: What each token stands for; nothing for the marks.
        split: From text to tokens.
        stored: What it is made from again: the characters, or SentencePiece's model.
    """

    kind: Kind
    pieces: Sequence[bytes]
    split: Callable[[str], list[int]]
    stored: str | bytes = ""

    @property
    def vocabulary(self) -> int:
        """How many tokens there are."""
        return len(self.pieces)

    def encode(self, text: str) -> list[int]:
        """The tokens of a text."""
        return self.split(text)

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens; bytes that are no character, as at a cut, become U+FFFD."""
        return self.decode_bytes(tokens).decode("utf-8", "replace")

    def decode_bytes(self, tokens: Iterable[int]) -> bytes:
        """What tokens stand for, in a row."""
        pieces = self.pieces
        return b"".join(pieces[token] for token in tokens)

    def save(self, directory: Path) -> None:
        """Write it, to be read by :func:`load_tokenizer`."""
        if isinstance(self.stored, bytes):
            (directory / PIECES_FILE).write_bytes(self.stored)
        told = {"kind": self.kind, "characters": self.stored if isinstance(self.stored, str) else ""}
        (directory / FILE).write_text(json.dumps(told, ensure_ascii=False), encoding="utf-8")


def load_tokenizer(directory: Path) -> Tokenizer:
    """Read what :meth:`Tokenizer.save` wrote."""
    told = json.loads((directory / FILE).read_text(encoding="utf-8"))
    if told["kind"] == "pieces":
        return of_pieces((directory / PIECES_FILE).read_bytes())
    return of_characters(told["characters"]) if told["kind"] == "characters" else of_bytes()


def of_bytes() -> Tokenizer:
    """One token for each byte of UTF-8."""
    return Tokenizer("bytes", [b"", b"", *_BYTES], lambda text: [MARKS + value for value in _utf8(text)])


def of_characters(characters: str) -> Tokenizer:
    """One token for each of some characters; any other is written as its bytes."""
    numbers = {character: MARKS + 256 + place for place, character in enumerate(characters)}

    def split(text: str) -> list[int]:
        found: list[int] = []
        for character in text:
            number = numbers.get(character)
            if number is None:
                found += [MARKS + value for value in _utf8(character)]
            else:
                found.append(number)
        return found

    pieces = [b"", b"", *_BYTES, *(_utf8(character) for character in characters)]
    return Tokenizer("characters", pieces, split, characters)


def of_pieces(model: bytes) -> Tokenizer:
    """Tokens of a SentencePiece model, whose bytes stand for what its pieces do not cover."""
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces = [b"", b"", *(_piece(processor, number) for number in range(processor.get_piece_size()))]
    blank = [MARKS + processor.piece_to_id(f"<0x{value:02X}>") for value in SPACE.encode()]

    def split(text: str) -> list[int]:
        found: list[int] = []
        for place, part in enumerate(_whole(text).split(SPACE)):
            found += blank if place else []
            found += [MARKS + number for number in processor.encode(part)]
        return found

    return Tokenizer("pieces", pieces, split, model)


def learn_tokenizer(kind: Kind, texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """Make a tokenizer for a language, from texts in it.

    Args:
        kind: How it is to cut text.
        texts: Of the training share.
        vocabulary: Tokens it may have, where it learns pieces; fewer where the texts are short. Where it knows
            characters, only the commonest get a token.
    """
    if kind == "bytes":
        return of_bytes()
    if kind == "characters":
        counted = Counter(character for text in texts for character in text)
        return of_characters("".join(sorted(character for character, _ in counted.most_common(max(vocabulary, 512)))))
    return of_pieces(_learn_pieces(texts, vocabulary))


def _learn_pieces(texts: Sequence[str], vocabulary: int) -> bytes:
    """Byte-pair encoding with SentencePiece (Kudo and Richardson 2018), set so that nothing is changed or lost."""
    lines = list(_lines(texts))
    counted = Counter(character for line in lines for character in line)
    total = sum(counted.values())
    # Half of the vocabulary stays for what is longer than a character; the rare characters are written as bytes.
    covered = sum(count for _, count in counted.most_common(max(vocabulary // 2 - 260, 32)))
    model = io.BytesIO()
    while True:
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_writer=model,
                model_type="bpe",
                vocab_size=vocabulary,
                byte_fallback=True,
                normalization_rule_name="identity",
                remove_extra_whitespaces=False,
                add_dummy_prefix=False,
                character_coverage=min(1.0, covered / max(total, 1)),
                user_defined_symbols=["\n", "\t"],
                split_digits=True,
                bos_id=-1,
                eos_id=-1,
                num_threads=1,
                minloglevel=3,
            )
            return model.getvalue()
        except RuntimeError as error:
            smaller = _most_possible(str(error))
            if smaller is None or smaller >= vocabulary:
                raise
            vocabulary, model = smaller, io.BytesIO()


def _most_possible(message: str) -> int | None:
    """The largest vocabulary short texts allow, which SentencePiece says only in the words of its refusal."""
    _, _, rest = message.partition("value <= ")
    digits = "".join(character for character in rest.split(".")[0] if character.isdigit())
    return int(digits) if digits else None


def _lines(texts: Sequence[str]) -> Iterator[str]:
    """Pieces of texts, evenly over all of them, no more than pieces need to be learnt."""
    every = max(1, -(-sum(map(len, texts)) // _MOST_LEARNT))
    cut = (text[start : start + _LINE] for text in texts for start in range(0, len(text), _LINE))
    for place, line in enumerate(cut):
        if place % every == 0:
            yield _whole(line).replace("\0", "")


def _piece(processor: sentencepiece.SentencePieceProcessor, number: int) -> bytes:
    if processor.is_byte(number):
        return bytes([int(processor.id_to_piece(number)[3:5], 16)])
    if processor.is_unknown(number) or processor.is_control(number):
        return b""
    return str(processor.id_to_piece(number)).replace(SPACE, " ").encode()


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "replace")  # half of a surrogate pair is no text


def _whole(text: str) -> str:
    return _utf8(text).decode()
