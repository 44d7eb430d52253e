"""``python -m aigc`` is the command ``aigc``."""

import sys


def main() -> None:
    """Run the command, or say what it lacks where only the client is installed."""
    try:
        from aigc.cli import main as command
    except ModuleNotFoundError as missing:
        if missing.name not in ("click", "rich"):
            raise
        sys.exit("The command needs two packages that the client does without: pip install 'aigc-client[cli]'")
    command()


if __name__ == "__main__":
    main()
