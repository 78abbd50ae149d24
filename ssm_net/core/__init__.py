"""What every package stands on: atomic files, processes, scratch fields, days, the clock, radiometers, boundaries."""
