"""The jobs that `peers.py` times: what users would pick instead, and posebench, at the same work.

`measure` runs a case, `render` makes tables of what was measured; every other module is one job.
"""
