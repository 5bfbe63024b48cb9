"""Models that predict 3D poses from images. Built on `posebench`, which never imports this package."""
