"""Keeps pytest away from the script here that needs atheris and is run by hand."""

collect_ignore = ["coverage_guided.py"]
