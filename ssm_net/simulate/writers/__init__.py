"""A synthetic world in the archives' own file formats."""
