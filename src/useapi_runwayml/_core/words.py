"""Pure: how numbers stand in sentences."""


def counted(number: int, name: str) -> str:
    """So many of them: `1 row`, `2 rows`."""
    return f"{number} {name}{'' if number == 1 else 's'}"


def amount(value: float) -> str:
    """A number as people read it: to two digits after the point at the most, and however large in no powers of ten."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
