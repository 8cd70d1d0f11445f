"""The verbs of the base install, one file each; `earlet.cli` finds them as entry points."""
