"""How near the forecasts of label runs come: `python -m benchmarks.labelling.forecast`."""
