"""What the command is called where its reader sits, as the command itself said when it started this process."""

import os
import re

NAME = "aigc"
PASSED_ON = "AIGC_PROGRAM"
_TYPED = re.compile(rf"(?<![\w/.-]){NAME} (?=[a-z])")


def here(words: str) -> str:
    """Words that name commands, such that they can be typed as they stand."""
    name = os.environ.get(PASSED_ON) or NAME
    return words if name == NAME else _TYPED.sub(lambda _: f"{name} ", words)
