"""The engine: what a run is, how it is trained and measured, its record, and the results."""
