"""Bundle to facts: raw ARM JSON and guest answers become typed values. Nothing else reads raw JSON."""
