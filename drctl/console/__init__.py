"""What a terminal shows: projections of events; the only package that draws."""
