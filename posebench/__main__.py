"""`python -m posebench` is the command `posebench`."""

from posebench.cli import main

if __name__ == "__main__":
    main()
