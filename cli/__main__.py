"""`python -m pgan_cli` is the command `pgan-toolkit`."""

from pgan_cli.main import main

main()
