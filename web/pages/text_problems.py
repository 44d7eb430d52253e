"""What the problem codes of texts mean and what to do about them."""

from collections.abc import Mapping

from web.pages.topics import Topic

TEXTS: Mapping[str, Topic] = {
    "bad-json": Topic(
        "A line is no JSON",
        "In a file of JSON lines each line holds one object with names and values, on a line of its own. The message "
        "names the line and shows how it begins.",
        ("Correct the line, or turn on Skip broken rows.", "A JSON list in square brackets can be read as well."),
    ),
    "mixed-encoding": Topic(
        "A file is written in two encodings",
        "Most lines of the file are written in UTF-8, but some are not; this happens where files of different programs "
        "were put together. Their letters would be read as other ones.",
        (
            "Save the lines that the message names anew as UTF-8.",
            "Set the encoding, if all of the file is written in another one.",
            "Turn on Skip broken rows to leave these lines out.",
        ),
    ),
    "not-text": Topic(
        "A file is no text",
        "The file begins like a text, but holds many bytes that are no letters of any kind. It may be damaged, or a "
        "program's file with the wrong ending.",
        ("Choose the text file.", "If it is a text in a rare encoding, set the encoding."),
    ),
    "no-documents": Topic(
        "There is no text in the archive",
        "The archive holds no text, Markdown or HTML file, and no JSON lines or CSV file either.",
        ("Put the files themselves into it; an archive inside an archive is not opened.",),
    ),
    "unknown-role": Topic(
        "Nobody has this role",
        "The setting Answering role names a role that no turn of the dialogues has.",
        ("Choose one of the roles in the message, or leave the setting empty.",),
    ),
    "wrong-text-shape": Topic(
        "The texts have another shape",
        "Texts are passages, dialogues or documents, and this task learns from some of these only.",
        (
            "Choose a dataset of the shape in the message.",
            "Upload the file again and set Shape, if it was taken for something else.",
        ),
    ),
    "too-little-text": Topic(
        "There is too little text",
        "The texts to learn from are so few or so short that nothing can be learnt, or too few sentences are short "
        "enough for the model.",
        ("Upload more text.", "Let sentences be longer, where the task has that setting."),
    ),
    "unknown-attribute": Topic(
        "The model does not know this attribute",
        "A text was asked for with an attribute, or with a value of one, that the training texts do not have.",
        (
            "Use the names and values that the message lists, as in section=games; the dataset's page shows them all.",
            "Leave the attributes empty for a text without any.",
        ),
    ),
    "sentences-missing": Topic(
        "Sentences are missing",
        "To interpolate takes two sentences or more, to reconstruct or to rewrite takes one, and there is a most.",
        ("Write one sentence in each line.", "Choose sample, which needs none."),
    ),
    "sentence-too-long": Topic(
        "A sentence is too long",
        "The model was trained on sentences of fewer tokens.",
        ("Make the sentence shorter, or split it.", "Train a model that takes longer sentences."),
    ),
    "extra-missing": Topic(
        "Packages for pretrained models are missing",
        "Pretrained language models need packages of the extra llm, which the workers were installed without.",
        ("Install them where the workers run, then start the workers again.",),
    ),
    "base-missing": Topic(
        "The pretrained model is not there",
        "The setting names a folder that the worker does not have, or no directory of pretrained models is set.",
        (
            "Put the model's folder into one directory, and name that directory by AIGC_PRETRAINED on every worker.",
            "Choose one of the folders that the message lists.",
            "Or upload the model's folder as a ZIP: a dataset of the kind language model.",
        ),
    ),
    "base-unusable": Topic(
        "The pretrained model cannot be used",
        "The folder holds no causal language model, no weights in safetensors, or no tokenizer. Weights in other "
        "formats can run code when they are read, so they are not.",
        ("Download the model anew with its tokenizer and safetensors.", "Choose another model."),
    ),
    "base-changed": Topic(
        "The pretrained model is another one now",
        "What was learnt goes with the files of one pretrained model, and these have changed since.",
        ("Put the earlier files there again; their hash is in the message.", "Train again from the new ones."),
    ),
}
