"""The command `pgan-toolkit`: parse, call, print, exit."""
