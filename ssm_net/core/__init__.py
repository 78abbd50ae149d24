"""The foundation of every package: atomic files, workers, scratch fields, days, the clock, radiometers, boundaries."""
