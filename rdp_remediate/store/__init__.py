"""Where runs, journal, locks and brakes are kept: one ledger over two kinds of records."""
