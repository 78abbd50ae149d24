"""What a reader asks of the maps, answered in numbers with intervals and counts: they open the report."""
