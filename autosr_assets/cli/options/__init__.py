"""The options of each command, as dataclasses; quick to import, so that `autosr COMMAND --help` is quick."""
