"""Canonical YAML: text to text, meaning and comments kept.

A library that writes YAML back with its comments (ruamel.yaml) keeps each comment with what stands *before*
it: keys cannot be put into order without their comments going astray. Here a comment belongs to the key below
or beside it. The parser is libyaml, as for reading; what is written is read again before it is believed.
"""
