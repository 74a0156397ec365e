"""The parts of docs/results.md, each for the figures in results/ of the same name; `benchmarks/results.py` puts them on the page."""
