"""A new project: its files, from templates that come with the package."""
