"""A stand-in for a generator: coloured discs on a coloured ground."""
