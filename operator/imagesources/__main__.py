"""``python -m imagesources``."""

from imagesources.cli import main

if __name__ == "__main__":
    main()
