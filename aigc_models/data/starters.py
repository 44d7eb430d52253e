"""Datasets that come with the software, so that a first run needs no data of one's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

_FILES = Path(__file__).parent / "starter_files"


@dataclass(frozen=True, slots=True)
class Starter:
    """One bundled dataset, as it would be uploaded.

    Attributes:
        name: Name to ask for it by.
        title: The label.
        kind: Kind of dataset it becomes.
        path: The bundled file.
        filename: Name it is uploaded under.
        licence: Licence of the data.
        notes: What it is, where it is from, and whom to credit.
        params: Settings of its import.
    """

    name: str
    title: str
    kind: str
    path: Path
    filename: str
    licence: str
    notes: str
    params: Mapping[str, Any] = field(default_factory=dict)


_FASHION = Starter(
    name="fashion-mnist",
    title="Fashion-MNIST, 6,000 photos of clothes",
    kind="images",
    path=_FILES / "fashion_mnist_5k_1k.npz",
    filename="fashion_mnist_5k_1k.npz",
    licence="MIT",
    notes=(
        "5,000 training and 1,000 test photos of clothes in 10 classes, grey, 28 x 28, a part of Fashion-MNIST. "
        "Copyright 2017 Zalando SE, https://github.com/zalandoresearch/fashion-mnist."
    ),
)

_CREDIT = Starter(
    name="credit",
    title="Credit data, 4,454 loans",
    kind="table",
    path=_FILES / "credit_data.csv.gz",
    filename="credit_data.csv.gz",
    licence="MIT",
    notes=(
        "4,454 loans with the status they ended in and 13 columns on the customer, of mixed types and with missing "
        "cells. Copyright 2019 Max Kuhn, RStudio, https://cran.r-project.org/package=modeldata."
    ),
    params=MappingProxyType({"drop": "rownames"}),
)
_CDNOW = Starter(
    name="cdnow",
    title="CDNOW, 69,659 purchases over time",
    kind="table",
    path=_FILES / "cdnow_master.txt.gz",
    filename="cdnow_master.txt.gz",
    licence="MIT",
    notes=(
        "69,659 purchases of 23,570 customers of a shop for compact discs, with day, number and price; rows of one "
        "customer stay together. As distributed with Lifetimes, Copyright 2015 Cameron Davidson-Pilon, "
        "https://github.com/CamDavidsonPilon/lifetimes."
    ),
    params=MappingProxyType({"account": "customer_id"}),
)
_SHOP = Starter(
    name="synthetic-shop",
    title="A made-up shop: 18,477 purchases by 1,200 customers (synthetic)",
    kind="interactions",
    path=_FILES / "synthetic_shop.zip",
    filename="synthetic_shop.zip",
    licence="Apache-2.0",
    notes=(
        "Synthetic: no person and no purchase in it is real. 144 articles in 12 topics; customers keep to a few topics "
        "and often buy the article that follows the last one. Made by aigc_models/data/planted_interactions.py."
    ),
)
_SHAKESPEARE = Starter(
    name="shakespeare",
    title="Shakespeare, 42 works in one running text",
    kind="text",
    path=_FILES / "shakespeare.txt.gz",
    filename="shakespeare.txt.gz",
    licence="CC-PDM-1.0",
    notes=(
        "42 works of William Shakespeare, 5.06 million characters, one after the other; the end is kept for testing. "
        "Text in the public domain, collected by the Open Knowledge Foundation."
    ),
    params=MappingProxyType({"shape": "passages", "divide": "running"}),
)
_PRODUCTS = Starter(
    name="synthetic-products",
    title="3,000 made-up product descriptions (synthetic)",
    kind="text",
    path=_FILES / "synthetic_products.jsonl.gz",
    filename="synthetic_products.jsonl.gz",
    licence="Apache-2.0",
    notes=(
        "Synthetic: no product in it is real. Each description follows from the product's section and tags, so that it "
        "can be counted how much of them a written text has. Made by aigc_models/data/planted_texts.py."
    ),
)
_SMALL_TALK = Starter(
    name="small-talk",
    title="Small talk, 777 dialogues in English and Chinese",
    kind="text",
    path=_FILES / "small_talk.jsonl.gz",
    filename="small_talk.jsonl.gz",
    licence="BSD-3-Clause",
    notes=(
        "Short questions with their answers and a few longer dialogues, on 13 topics, in English and in Chinese, much "
        "of which was translated by a machine. A part of chatterbot-corpus, Copyright 2017 Gunther Cox, "
        "https://github.com/gunthercox/chatterbot-corpus."
    ),
)
_HELP = Starter(
    name="foundry-help",
    title="The help pages of AIGC Foundry, in English and Chinese",
    kind="text",
    path=_FILES / "foundry_help.zip",
    filename="foundry_help.zip",
    licence="Apache-2.0",
    notes=(
        "The tutorials, how-to guides and explanations of this software, with the references of states, settings and "
        "problem codes: documents with headings to build an assistant on."
    ),
)
_OPERATIONS = Starter(
    name="synthetic-operations",
    title="Operations of a made-up office program, 1,200 sessions (synthetic)",
    kind="event_log",
    path=_FILES / "synthetic_operations.csv.gz",
    filename="synthetic_operations.csv.gz",
    licence="Apache-2.0",
    notes=(
        "Synthetic: no person and no session in it is real. Eight tasks, four in English and four in Chinese, each "
        "with known steps, optional steps, another way, a common mistake, detours and noise. Made by "
        "aigc_models/data/planted_operations.py."
    ),
)

STARTERS: Mapping[str, Starter] = MappingProxyType(
    {
        one.name: one
        for one in (_FASHION, _CREDIT, _CDNOW, _SHOP, _PRODUCTS, _SHAKESPEARE, _SMALL_TALK, _HELP, _OPERATIONS)
    }
)
