"""``python -m syzygy.cli``."""

from syzygy.cli import main

if __name__ == "__main__":
    main()
