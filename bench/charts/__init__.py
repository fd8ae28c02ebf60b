"""One file per picture, each a pure function of a record."""
