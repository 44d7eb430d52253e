"""A made-up shop whose customers behave by rules that are known, so that a recommender's lists can be judged.

No person and no purchase in it is real. What is planted:

- **topics**: every customer has one to three of :data:`TOPICS` and buys mostly there;
- **chains**: within a topic, things follow each other (a grinder after an espresso machine): with probability
  :data:`FOLLOW` the next purchase is the next thing of the chain;
- **popularity**: what is not bought along a chain is drawn with weights that fall with an item's rank.

Only :meth:`random.Random.random` is drawn from, which gives the same numbers in every version of Python, so the
bundled file can be made again: ``python -m aigc_models.data.planted_interactions FILE.zip``.
"""

import csv
import io
import sys
import zipfile
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import log
from pathlib import Path
from random import Random
from types import MappingProxyType

FOLLOW, STAY = 0.55, 0.3  # the rest is drawn from the whole shop
USERS, SEED = 1200, 5
LEAST_EVENTS, MEAN_MORE = 5, 11
OPENED = 1_704_067_200  # 2024-01-01, in seconds since 1970 UTC
DAY = 86_400
RANK_POWER = 0.7
EVENTS, ITEMS = "events.csv", "items.csv"

TOPICS: Mapping[str, Sequence[str]] = MappingProxyType({
    "Coffee": (
        "Espresso machine", "Burr coffee grinder", "Tamper and mat", "Espresso beans, 1 kg", "Milk jug, 350 ml",
        "Set of four espresso cups", "Digital scale with timer", "Knock box", "Descaling powder", "Group head brush",
        "Water filter cartridges", "Decaf beans, 500 g",
    ),
    "Running": (
        "Running shoes", "Running socks, 3 pairs", "Running shorts", "Breathable running shirt", "Sports watch",
        "Heart rate strap", "Running belt", "Water flask, 500 ml", "Reflective vest", "Rain jacket for runners",
        "Foam roller", "Trail running shoes",
    ),
    "Baking": (
        "Stand mixer", "Dough hook", "Proofing basket", "Bread knife", "Cast iron bread pan", "Strong flour, 5 kg",
        "Sourdough starter jar", "Dough scraper", "Scoring blade", "Baking stone", "Cooling rack", "Rye flour, 2.5 kg",
    ),
    "Gardening": (
        "Seed trays", "Potting soil, 40 l", "Tomato seeds", "Heat mat for seedlings", "Grow lamp", "Plant labels",
        "Hand trowel", "Gardening gloves", "Tomato cages", "Watering can, 10 l", "Tomato fertiliser", "Garden shears",
    ),
    "Photography": (
        "Mirrorless camera", "Memory card, 128 GB", "Spare camera battery", "Portrait lens, 50 mm", "Lens cleaning kit",
        "Camera backpack", "Travel tripod", "Polarising filter", "Wide angle lens, 16 mm", "Remote shutter release",
        "Neutral density filter", "Photo printing paper",
    ),
    "Cycling": (
        "Touring bicycle", "Bicycle helmet", "U-lock", "Front and rear lights", "Floor pump", "Puncture repair kit",
        "Padded cycling shorts", "Pannier bags", "Handlebar phone mount", "Chain oil", "Multi-tool", "Cycling computer",
    ),
    "Camping": (
        "Two-person tent", "Sleeping bag", "Sleeping mat", "Head lamp", "Gas stove", "Gas cartridge", "Camping pot set",
        "Folding chair", "Water filter for hikers", "Dry bags", "Hiking poles", "First aid kit",
    ),
    "Music": (
        "Acoustic guitar", "Guitar strings, light", "Clip-on tuner", "Plectrums, set of 12", "Guitar strap", "Capo",
        "Songbook for beginners", "Guitar stand", "Padded guitar bag", "Metronome", "Fret polish", "Travel guitar",
    ),
    "Home office": (
        "Height-adjustable desk", "Ergonomic chair", "27-inch monitor", "Monitor arm", "Mechanical keyboard",
        "Vertical mouse", "Docking station", "Headset with microphone", "Webcam", "Desk lamp", "Cable tray", "Footrest",
    ),
    "Painting": (
        "Acrylic paint, set of 24", "Brush set", "Stretched canvas, 40 x 50 cm", "Table easel", "Palette",
        "Gesso primer", "Palette knives", "Sketch pad, A3", "Graphite pencils", "Varnish, matt", "Masking tape",
        "Picture frame, 40 x 50 cm",
    ),
    "Aquarium": (
        "Aquarium, 80 l", "External filter", "Aquarium heater", "Aquarium light", "Aquarium soil", "Water test kit",
        "Filter starter bacteria", "Stem plants, bundle", "Tweezers for plants", "Plant fertiliser", "Fish food flakes",
        "Algae scraper",
    ),
    "Baby": (
        "Pram", "Rain cover for prams", "Changing bag", "Nappies, size 1", "Wet wipes, box", "Baby monitor",
        "Baby bath", "Sleeping sack for babies", "Nappies, size 2", "High chair", "Silicone bibs", "Nappies, size 3",
    ),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Planted:
    """What happened in the made-up shop.

    Attributes:
        events: Customer, item, and seconds since 1970 UTC; by customer, then by time.
        titles: What each item is called.
        follows: What comes after an item in its chain; the last of a chain has no entry.
    """

    events: Sequence[tuple[str, str, int]]
    titles: Mapping[str, str]
    follows: Mapping[str, str]


class _Shop:
    """The items, and how a customer's next one is drawn."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.shelves = [
            [f"{chr(65 + topic)}{place + 1:02}" for place in range(len(names))]
            for topic, names in enumerate(TOPICS.values())
        ]
        self.items = [item for shelf in self.shelves for item in shelf]
        ranks = sorted(self.items, key=lambda _: random.random())
        self.weights = {item: (rank + 1) ** -RANK_POWER for rank, item in enumerate(ranks)}
        self.follows = {item: after for shelf in self.shelves for item, after in pairwise(shelf)}

    def draw(self, items: Sequence[str]) -> str:
        """An item by popularity."""
        sums = list(accumulate(self.weights[item] for item in items))
        return items[bisect(sums, self.random.random() * sums[-1])]

    def visits(self, shelves: Sequence[Sequence[str]], count: int) -> list[str]:
        """What one customer buys, in order; nothing twice."""
        own = [item for shelf in shelves for item in shelf]
        bought: list[str] = []
        while len(bought) < count:
            luck = self.random.random()
            after = self.follows.get(bought[-1]) if bought and luck < FOLLOW else None
            pool = own if luck < FOLLOW + STAY else self.items
            left = [item for item in pool if item not in bought] or [item for item in self.items if item not in bought]
            bought.append(after if after is not None and after not in bought else self.draw(left))
        return bought


def plant(users: int = USERS, seed: int = SEED) -> Planted:
    """Let the shop's customers buy; the same seed gives the same shop."""
    random = Random(seed)  # noqa: S311 - nothing here is secret
    shop = _Shop(random)
    events: list[tuple[str, str, int]] = []
    for number in range(users):
        shelves = [shop.shelves[int(random.random() * len(shop.shelves))] for _ in range(1 + int(random.random() * 3))]
        count = LEAST_EVENTS + int(min(40.0, -MEAN_MORE * log(1 - random.random())))
        moment = OPENED + int(random.random() * 240 * DAY)
        for item in shop.visits(shelves, count):
            events.append((f"customer-{number + 1:04}", item, moment))
            moment += 600 + int(-6 * DAY * log(1 - random.random()))
    names = [name for listed in TOPICS.values() for name in listed]
    return Planted(events, dict(zip(shop.items, names, strict=True)), shop.follows)


def write_zip(planted: Planted, path: Path) -> None:
    """Write a ZIP of two CSV files, events and items, as a shop would export them; the same bytes each time."""
    with zipfile.ZipFile(path, "w") as archive:
        events = sorted(planted.events, key=lambda event: (event[2], event[0]))
        for name, head, rows in (
            (EVENTS, ("user_id", "item_id", "timestamp"), events),
            (ITEMS, ("item_id", "title"), planted.titles.items()),
        ):
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([head, *rows])
            entry = zipfile.ZipInfo(name, (2024, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text.getvalue())


if __name__ == "__main__":
    write_zip(plant(), Path(sys.argv[1]))
