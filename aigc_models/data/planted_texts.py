"""Made-up product texts written by rules that are known, so that a model's texts can be judged.

No product in them is real. What is planted:

- **section**: says which things there are, and what the first sentence calls them and is good for;
- **tags**: each tag of a product has sentences of its own, one of which stands in the text, in the order of the tags;
- **size** and **weight**: numbers after which the last sentence's word goes (``small`` below 20 cm).

So of every text can be told whether its section and its tags are in it, by :func:`planted_in`. Only
:meth:`random.Random.random` is drawn from, which gives the same numbers in every version of Python, so the bundled
file can be made again: ``python -m aigc_models.data.planted_texts FILE.jsonl.gz``.
"""

import gzip
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from types import MappingProxyType

COUNT, SEED = 3000, 7
MOST_TAGS = 3

SECTIONS: Mapping[str, tuple[Sequence[str], Sequence[str]]] = MappingProxyType(
    {
        "kitchen": (
            (
                "kettle",
                "saucepan",
                "cutting board",
                "salad bowl",
                "pepper mill",
                "measuring jug",
                "baking tray",
                "teapot",
            ),
            (
                "{name} is a {thing} for people who cook every day.",
                "Meet {name}, the {thing} that makes dinner easier.",
                "{name} brings a proper {thing} to small and large kitchens.",
            ),
        ),
        "garden": (
            (
                "watering can",
                "trowel",
                "plant pot",
                "bird feeder",
                "hose reel",
                "garden lantern",
                "seed box",
                "rain gauge",
            ),
            (
                "{name} is a {thing} for balconies and gardens.",
                "With {name}, a {thing} made for long summers, work outside is fun.",
                "{name} is the {thing} that stays outside all year.",
            ),
        ),
        "office": (
            (
                "desk lamp",
                "notebook",
                "pen holder",
                "letter tray",
                "footrest",
                "monitor stand",
                "wall clock",
                "cable box",
            ),
            (
                "{name} is a {thing} that brings order to your desk.",
                "Work feels lighter with {name}, a {thing} for home and office.",
                "{name} is a quiet {thing} for long working days.",
            ),
        ),
        "travel": (
            (
                "backpack",
                "wash bag",
                "water bottle",
                "passport holder",
                "neck pillow",
                "packing cube",
                "day bag",
                "umbrella",
            ),
            (
                "{name} is a {thing} for short trips and long journeys.",
                "Pack less and see more with {name}, a {thing} for travellers.",
                "{name} is the {thing} that comes along everywhere.",
            ),
        ),
        "children": (
            (
                "night light",
                "building set",
                "drawing board",
                "lunch box",
                "puzzle",
                "toy chest",
                "book shelf",
                "step stool",
            ),
            (
                "{name} is a {thing} for curious children.",
                "{name} is a {thing} that grows with the child.",
                "Playtime begins with {name}, a {thing} for small hands.",
            ),
        ),
        "sports": (
            (
                "yoga mat",
                "jump rope",
                "sports towel",
                "foam roller",
                "training bag",
                "drinking flask",
                "balance board",
                "head band",
            ),
            (
                "{name} is a {thing} for training at home and in the gym.",
                "{name} is a {thing} for beginners and for champions.",
                "Reach further with {name}, a {thing} that keeps up.",
            ),
        ),
    }
)
TAGS: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "bamboo": (
            "It is made of bamboo that grows back within five years.",
            "The bamboo is oiled by hand and ages well.",
        ),
        "steel": ("Brushed steel keeps it free of rust.", "Its body is cut from one sheet of stainless steel."),
        "recycled": (
            "Nine parts in ten are recycled plastic.",
            "It is made from recycled bottles, and can be recycled again.",
        ),
        "cotton": (
            "The cover is organic cotton and can be washed at 40 degrees.",
            "Soft cotton makes it pleasant to touch.",
        ),
        "foldable": ("It folds flat in two seconds.", "Folded, it is as thin as a magazine."),
        "waterproof": ("Rain and splashes do it no harm, as it is waterproof.", "The seams are welded and waterproof."),
        "solar": ("A solar cell charges it by day.", "Eight hours of sun make its solar battery last for two nights."),
        "quiet": ("You will hardly hear it.", "It is so quiet that nobody wakes up."),
        "gift": ("It comes in a gift box with a card to write on.", "Wrapped and ready, it makes a fine gift."),
        "dishwasher": ("It goes into the dishwasher.", "The dishwasher cleans it in every programme."),
        "warranty": ("We give a warranty of five years.", "Should it break, the warranty covers it for ten years."),
        "colours": ("Choose between six colours, from sand to midnight.", "It comes in four colours that go together."),
    }
)
_FIRST = (
    "Al",
    "Bri",
    "Cor",
    "Da",
    "El",
    "Fin",
    "Gra",
    "Hol",
    "Iv",
    "Jun",
    "Kes",
    "Lu",
    "Mar",
    "Nor",
    "Or",
    "Pel",
    "Rin",
    "Sol",
    "Tor",
    "Ul",
    "Ver",
    "Wil",
    "Yar",
    "Zen",
)
_LAST = (
    "da",
    "do",
    "ka",
    "la",
    "lo",
    "ma",
    "mo",
    "na",
    "no",
    "ra",
    "ro",
    "sa",
    "so",
    "ta",
    "to",
    "va",
    "vo",
    "wen",
    "dis",
    "lin",
)
_SIZES = ((20, "a small one"), (45, "one of middle size"), (91, "a large one"))


@dataclass(frozen=True, slots=True)
class Product:
    """One made-up product, as a shop's export has it."""

    id: str
    name: str
    section: str
    tags: str
    description: str


def plant(count: int = COUNT, seed: int = SEED) -> list[Product]:
    """Write descriptions; the same seed gives the same ones."""
    random = Random(seed)  # noqa: S311 - nothing here is secret

    def one_of(choices: Sequence[str]) -> str:
        return choices[int(random.random() * len(choices))]

    products = []
    for number in range(1, count + 1):
        section = one_of(tuple(SECTIONS))
        things, openings = SECTIONS[section]
        tags = sorted(TAGS, key=lambda _: random.random())[: 1 + int(random.random() * MOST_TAGS)]
        name = one_of(_FIRST) + one_of(_LAST) + (one_of(_LAST) if random.random() < 0.4 else "")
        size, grams = 5 + int(random.random() * 86), 50 * (1 + int(random.random() * 60))
        word = next(word for limit, word in _SIZES if size < limit)
        sentences = [one_of(openings).format(name=name, thing=one_of(things))]
        sentences += [one_of(TAGS[tag]) for tag in tags]
        sentences.append(f"At {size} cm and {grams} g it is {word}.")
        products.append(Product(f"P{number:04}", name, section, ", ".join(tags), " ".join(sentences)))
    return products


def planted_in(text: str) -> tuple[set[str], set[str]]:
    """The sections and the tags whose words are in a text."""
    lowered = text.casefold()
    sections = {
        section for section, (things, _) in SECTIONS.items() if any(f" {thing} " in lowered for thing in things)
    }
    return sections, {tag for tag, sentences in TAGS.items() if any(one.casefold() in lowered for one in sentences)}


def write_jsonl(products: Sequence[Product], path: Path) -> None:
    """Write JSON lines packed with gzip; the same bytes each time."""
    lines = "".join(json.dumps(asdict(product)) + "\n" for product in products)
    path.write_bytes(gzip.compress(lines.encode(), 9, mtime=0))


if __name__ == "__main__":
    write_jsonl(plant(), Path(sys.argv[1]))
