"""Measurements, as ratios taken in one run: `python -m bench.run` (deliveries)."""
