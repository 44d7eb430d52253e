"""What the families that recommend share: training loop, evaluation, lists, reasons, files."""
