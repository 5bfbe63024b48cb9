"""A report as one HTML file that needs no network (`page`), and its tables for notebooks (`tables`)."""
