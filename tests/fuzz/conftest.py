"""What lies here beside the tests."""

#: Needs atheris, and is run by hand.
collect_ignore = ["coverage_guided.py"]
