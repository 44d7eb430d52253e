"""Which documents are kept for testing: fixed by the content, copies and near-copies of one together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np

from aigc_models.data.texts import Document, Shape, TextSet

_NAMES = "{name} (end)"


def split(shape: Shape, documents: Sequence[Document], groups: Sequence[int], test_percent: int) -> TextSet:
    """A dataset of documents; the only document, if it is one text, is cut near its end.

    Args:
        shape: Their shape.
        documents: All of them.
        groups: A number for each document, the same for those that must not be parted.
        test_percent: Percent of the documents, or of the characters of the only one, that is kept for testing.
    """
    if len(documents) == 1:
        return _cut(shape, documents[0], test_percent)
    digest = sha256("\0".join(document.text for document in documents).encode("utf-8", "replace")).digest()
    generator = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    unique, member, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    order = generator.permutation(len(unique))
    wanted = max(1, round(len(documents) * test_percent / 100))
    chosen = np.zeros(len(unique), np.bool_)
    chosen[order[np.cumsum(sizes[order]) <= wanted]] = True
    if not chosen.any() and len(unique) > 1:
        chosen[order[np.argmin(sizes[order])]] = True
    is_test = chosen[member]
    return TextSet(
        shape,
        tuple(document for document, test in zip(documents, is_test, strict=True) if not test),
        tuple(document for document, test in zip(documents, is_test, strict=True) if test),
    )


def cannot_be_parted(groups: Sequence[int], test_percent: int) -> bool:
    """Whether one group is so large that too few documents are left for testing outside of it."""
    largest = max(Counter(groups).values(), default=0)
    return len(groups) > 1 and len(groups) - largest < len(groups) * test_percent / 100


def _cut(shape: Shape, document: Document, test_percent: int) -> TextSet:
    """One running text in two, at a line end if there is one near, else between two words."""
    if shape != "passages" or len(document.parts) != 1:
        return TextSet(shape, (document,), ())
    (part,) = document.parts
    at = len(part.text) - max(1, round(len(part.text) * test_percent / 100))
    for sign in ("\n", " "):
        found = part.text.rfind(sign, at // 2, at)
        if found > 0:
            at = found + 1
            break
    head, tail = part.text[:at], part.text[at:]
    if not head.strip() or not tail.strip():
        return TextSet(shape, (document,), ())
    train = replace(document, parts=(replace(part, text=head),))
    test = replace(document, name=_NAMES.format(name=document.name), parts=(replace(part, text=tail),))
    return TextSet(shape, (train,), (test,))
