"""Reads and writes price files, and the price list that ships: the genai-prices package."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, time
from decimal import Decimal, InvalidOperation
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inferometer.core.price_book import PriceBook, merge_books
from inferometer.core.price_file import read_document, to_document
from inferometer.core.price_import import ImportedPrices
from inferometer.core.price_import_genai import import_genai_prices
from inferometer.core.price_import_litellm import import_litellm
from inferometer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

FORMATS = ("litellm", "genai-prices", "native")
YAML_SUFFIXES = {".yaml", ".yml"}
SHIPPED_PACKAGE = "genai-prices"


def shipped_prices() -> ImportedPrices:
    """Return the prices of the installed genai-prices package, its version in their source.

    Raises ConfigError where the package is missing.
    """
    try:
        from genai_prices.data import providers
    except ImportError as error:
        raise ConfigError(
            ["no price list: the genai-prices package is missing; "
             "install inferometer[server], or set prices.source=none and prices.overlay_file"]
        ) from error  # fmt: skip
    source = f"{SHIPPED_PACKAGE} {metadata.version(SHIPPED_PACKAGE)}"
    return import_genai_prices([_plain(provider) for provider in providers], source=source)


def load_book(files: Sequence[Path] = (), *, with_shipped: bool = True) -> PriceBook:
    """Return the price book of own files over the shipped list; an earlier file wins.

    Raises ConfigError with every problem of every file.
    """
    books = []
    problems: list[str] = []
    for path in files:
        try:
            books.append(read_price_file(path))
        except ConfigError as error:
            problems.extend(error.problems)
    if problems:
        raise ConfigError(problems)
    if with_shipped:
        books.append(shipped_prices().book())
    return merge_books(books)


def read_price_file(path: Path) -> PriceBook:
    """Read a file of the own format, YAML or JSON by its suffix. Raises ConfigError."""
    return read_document(_parsed(path), file=str(path))


def import_price_file(path: Path, *, file_format: str, source: str = "") -> ImportedPrices:
    """Read a list of another project, or a file of the own format.

    Raises ConfigError with every problem.
    """
    if file_format == "native":
        book = read_price_file(path)
        return ImportedPrices(
            book.label, list(book.entries), list(book.providers), sum(1 for _ in book.tariffs())
        )
    importer = import_litellm if file_format == "litellm" else import_genai_prices
    try:
        return importer(_parsed(path), source=source or f"{file_format} {path.name}")
    except ValueError as error:
        raise ConfigError([f"{path}: {error}"]) from error


def write_price_file(book: PriceBook, path: Path) -> None:
    """Write a book in the own format, YAML or JSON by its suffix. Raises ConfigError."""
    document = to_document(book)
    if path.suffix in YAML_SUFFIXES:
        import yaml

        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    else:
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be written: {error.strerror}"]) from error


def _parsed(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not UTF-8 text"]) from error
    if path.suffix in YAML_SUFFIXES:
        return _parsed_yaml(text, path)
    try:
        return json.loads(text, parse_float=Decimal, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ConfigError([f"{path}: is not JSON: {error}"]) from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no amount")


def _parsed_yaml(text: str, path: Path) -> Any:
    import yaml

    class ExactLoader(yaml.SafeLoader):
        """Keeps a number with a point as the decimal that is written."""

    def exact(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Decimal:
        try:
            return Decimal(node.value.replace("_", ""))
        except InvalidOperation:
            message = f"{node.value!r} is no amount"
            raise yaml.constructor.ConstructorError(None, None, message, node.start_mark) from None

    ExactLoader.add_constructor("tag:yaml.org,2002:float", exact)
    try:
        return yaml.load(text, Loader=ExactLoader)  # noqa: S506 - a subclass of SafeLoader
    except yaml.YAMLError as error:
        problem = " ".join(str(error).split())
        raise ConfigError([f"{path}: is not YAML: {problem}"]) from error


def _plain(value: Any) -> Any:
    """Return an object of the package in the shape of its published JSON."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    elif type(value).__name__ == "ModelPrice":
        fields = {key: item for key, item in vars(value).items() if not key.startswith("_")}
    else:
        return value
    # `or_` and `and_` stand for words that Python keeps to itself.
    return {
        key.rstrip("_"): _plain(item)
        for key, item in fields.items()
        if item is not None and key != "extractors"
    }
