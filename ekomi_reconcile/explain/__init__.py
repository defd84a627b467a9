"""Explaining one order: the planner's own decision, taken apart criterion by criterion."""
