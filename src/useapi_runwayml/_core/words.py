"""Pure: how numbers stand in sentences."""


def counted(number: int, name: str) -> str:
    """So many of them: `1 row`, `2 rows`."""
    return f"{number} {name}{'' if number == 1 else 's'}"
