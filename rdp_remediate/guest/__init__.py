"""Everything that happens inside Windows: the two scripts, their wire form and the Run Command transport."""
