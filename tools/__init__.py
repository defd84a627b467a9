"""Programs for those who work on this project; they are not part of the package."""
