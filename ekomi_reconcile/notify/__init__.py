"""Telling others how a run ended. Never what a run does: a notification that fails is only a warning."""
