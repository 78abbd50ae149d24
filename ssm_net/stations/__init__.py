"""In situ soil moisture: the ISMN reader, and the matching of stations to pixels and overpasses."""
