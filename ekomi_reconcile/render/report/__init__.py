"""The report as one self-contained page: no network, no script of others, everything escaped."""
