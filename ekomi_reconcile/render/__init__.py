"""Renderers: each turns data into text, and computes nothing."""
