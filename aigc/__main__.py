"""``python -m aigc`` is the command ``aigc``."""

from aigc.cli import main

main()
