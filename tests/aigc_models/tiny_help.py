"""A tiny help centre with headings, and tiny dialogues, for the tests of assistants."""

from pathlib import Path

from aigc_models.data.texts import Document, Part, TextSet, save_texts

THINGS = (
    "printer", "scanner", "keyboard", "monitor", "camera", "speaker", "router", "tablet", "charger", "headset",
    "projector", "microphone", "drone", "lamp", "heater", "fridge", "kettle", "toaster", "blender", "vacuum",
    "doorbell", "thermostat", "watch", "phone", "laptop", "mouse", "fan", "oven", "dishwasher", "freezer",
)  # fmt: skip
ACTS = ("install", "repair", "clean", "return")
PLACES = ("office", "cellar", "garage", "kitchen", "attic", "hall", "garden", "lobby", "studio", "workshop")


def page(number: int) -> Document:
    """A page on a thing: what to do with it, under a heading for each act."""
    thing = THINGS[number % len(THINGS)]
    parts = []
    for place, act in enumerate(ACTS):
        where = PLACES[(number + place) % len(PLACES)]
        text = (
            f"To {act} your {thing}, switch it off and carry it to the {where}. "
            f"Then open the {thing} menu and choose {act.upper()} in the list. "
            f"The {thing} shows a green light when the {act} step {place + 1} is over. "
            f"Call the {where} desk on line {number + 10} where the {thing} stays dark."
        )
        parts.append(Part(text, heading=f"{act.capitalize()} the {thing}", level=2))
    return Document(f"{thing}.md", tuple(parts), f"The {thing}", "en")


def tiny_help(pages: int = 30, tests: int = 6) -> TextSet:
    """Pages of which the last ones test."""
    made = [page(number) for number in range(pages)]
    return TextSet("documents", tuple(made[: pages - tests]), tuple(made[pages - tests :]))


def tiny_dialogues(repeats: int = 12, answers: int = 5) -> TextSet:
    """Many questions to few answers, every fourth of them to test."""
    asked = (
        "How do I {act} my {thing}?",
        "My {thing} should be one to {act}",
        "please {act} the {thing} now",
        "{act} {thing}",
    )
    made = []
    for number in range(repeats * answers):
        thing, act = THINGS[number % answers], ACTS[number % len(ACTS)]
        text = asked[number // answers % len(asked)].format(act=act, thing=thing)
        turns = (Part(f"{text} ({number})", "user"), Part(f"Ask the {thing} team.", "assistant"))
        made.append(Document(str(number), turns, language="en"))
    return TextSet("dialogues", tuple(made[len(made) // 4 :]), tuple(made[: len(made) // 4]))


def write_texts(directory: Path, texts: TextSet) -> Path:
    """Write a set as an import would."""
    counts = {share: sum(one.characters for one in getattr(texts, share)) for share in ("train", "test")}
    save_texts(texts, {"characters": counts, "languages": {"en": len(texts.train)}}, directory)
    return directory
