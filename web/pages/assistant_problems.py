"""What the problem codes of assistants mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

ASSISTANT: Mapping[str, Topic] = {
    "blank-question": Topic(
        "The question is blank",
        "An assistant was asked without a question.",
        ("Write what you want to know.",),
    ),
    "no-questions": Topic(
        "There is nothing to learn from",
        "An assistant learns from headings with a text below them, and from questions with their answers. The dataset "
        "has neither.",
        ("Import pages with headings, such as Markdown or HTML.", "Import dialogues, or questions with answers."),
    ),
    "nothing-to-cite": Topic(
        "There is nothing to answer from",
        "No section of the dataset has a text, and no dialogue has an answer.",
        ("Import pages whose sections have a text.", "Import dialogues in which somebody answers."),
    ),
    "nothing-learnt": Topic(
        "There is no feedback to learn from",
        "Nobody liked a reply of this model version, or wrote a better one, so there is nothing to make a dataset of.",
        ("Ask it, then press Helpful below good answers, or write a better answer below others.",),
    ),
    "not-a-reply": Topic(
        "The job made no reply",
        "Only a reply of an assistant that has ended well can be judged.",
        ("Give the id of a job that replied.",),
    ),
}
