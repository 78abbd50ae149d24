"""The report: tables, figures and one HTML page that needs nothing else."""
