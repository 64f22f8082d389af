"""What stands in fsspec's store in memory."""

import fsspec


def there(memory: fsspec.AbstractFileSystem, folder: str) -> list[str]:
    """The files of the bucket's folder, by their names in it."""
    return sorted(name.removeprefix(f"/bucket/{folder}/") for name in memory.find("/bucket"))
