"""The parts of tools/tidy: source.py reads code, checks.py judges it, report.py draws it."""
