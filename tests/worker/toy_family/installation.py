"""Making the toys known to other processes, as the installation of a third party's package would."""

from pathlib import Path

from aigc_models import registry


def install(site: Path) -> Path:
    """Write the entry point of the toys into a directory; gives the directory, to be put on the path."""
    info = site / "aigc_toys-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: aigc-toys\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\ntoy = tests.worker.toy_family.params:FAMILY\n")
    return site
