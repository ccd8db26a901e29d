"""``python -m cli`` is ``engine``."""

from cli.main import main

if __name__ == "__main__":
    main()
