"""Decide what rules have in common: overlaps with a witness order, rules that never match, shadowed ones."""
