"""Fields of an event as one line of JSON, completed by an event id and the client's defaults."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

from inferometer.core.quick_check import EventWriter
from inferometer.sdk.items import Item
from inferometer.sdk.settings import KNOWN_FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from inferometer.sdk.ids import EventIds
    from inferometer.sdk.items import Entry

_EXACT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_NULL = b"null"
_ID = "event_id"


class LineMaker:
    """Writes lines on the request path, so each must cost little; what is odd takes longer."""

    def __init__(self, defaults: Mapping[str, Any], *, is_judging: bool) -> None:
        """Where it is not judging, every line is left to be judged later."""
        self._defaults = dict(defaults)
        self._writer: EventWriter | None = None
        if is_judging:
            # With defaults that it does not take each event is judged later, and told by name.
            with suppress(ValueError):
                self._writer = EventWriter(defaults)

    def line(self, fields: Mapping[str, Any], ids: EventIds) -> Entry | None:
        """Return the JSON of the fields as they are now, to be judged where it is not surely right.

        None for names that are no field, and where JSON loses something: a number that is not
        finite would silently become null, which means absent.
        """
        if self._writer is not None:
            text = self._writer.write(fields, ids.next)
            if text is not None:
                return text
        if not fields.keys() <= KNOWN_FIELDS:
            return None
        present = {name: value for name, value in fields.items() if value is not None}
        event_id = present.get(_ID) or ids.next()
        try:
            text = orjson.dumps({_ID: event_id, **self._defaults, **present}, option=_EXACT)
        except TypeError:
            return None
        return None if _NULL in text else Item(text, is_judged=False)
