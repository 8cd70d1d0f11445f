"""`python -m earlet` is the `earlet` command."""

from earlet.cli import main

main()
