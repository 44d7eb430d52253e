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
}
