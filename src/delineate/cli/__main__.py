"""`python -m delineate.cli`, as torchrun wants it."""

from delineate.cli import main

if __name__ == "__main__":
    main()
