"""One request, from who asks it to the form of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import BaseModel, ValidationError

from inferometer.core.query.instants import read_instant
from inferometer.core.query.local_times import zone_of
from inferometer.core.query.questions import Problem, QueryRefusedError
from inferometer.web.api.common_parameters import RANGE, TIME_ZONE, WORKSPACE
from inferometer.web.api.parameters import Asked, RefusedTextError, plain
from inferometer.web.api.problems import BodyTooLargeError, UnsupportedBodyError
from inferometer.web.identity.roles import ForbiddenError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from inferometer.web.api.parameters import Parameter
    from inferometer.web.identity.roles import Caller

Question = TypeVar("Question")
Body = TypeVar("Body", bound=BaseModel)

MAX_BODY_BYTES = 64 * 1024
MAX_PARAMETERS = 200
_RANGE_NAMES = frozenset(parameter.name for parameter in RANGE)


class Call:
    """A request of a caller who is known."""

    def __init__(self, request: Request, caller: Caller, now: datetime) -> None:
        """Read the query string. Raises QueryRefusedError where it has too many parameters."""
        self.request = request
        self.caller = caller
        self.now = now
        given = request.query_params.multi_items()
        if len(given) > MAX_PARAMETERS:
            raise QueryRefusedError(
                Problem("query", f"{len(given)} parameters", f"give {MAX_PARAMETERS} at most")
            )
        texts: dict[str, list[str]] = {}
        for name, text in given:
            texts.setdefault(name, []).append(text)
        self.asked = Asked(texts)
        for name, values in texts.items():
            self._check_plain(name, values)
        self.workspace_id = self._workspace()

    @property
    def texts(self) -> Mapping[str, Sequence[str]]:
        """The parameters: every value of each name."""
        return self.asked.texts

    def knows(self, parameters: Sequence[Parameter[Any]]) -> None:
        """Note a problem for every parameter that the page does not take."""
        self.asked.refuse_unknown(parameters)

    def read(self, reader: Callable[..., Question], *first: Any, **options: Any) -> Question:
        """Return the question that a reader makes of the parameters.

        Raises QueryRefusedError with every problem, those of other parameters included.
        """
        try:
            question = reader(
                *first, self.texts, workspace_id=self.workspace_id, now=self.now, **options
            )
        except QueryRefusedError as error:
            raise self._with(error) from error
        self.asked.check()
        return question

    def span(self, reader: Callable[..., Question]) -> Question:
        """Return the span that a reader makes of from, to and time_zone. Raises as `read`."""
        texts = {name: self.texts[name] for name in _RANGE_NAMES if name in self.texts}
        try:
            found = reader(texts, now=self.now)
        except QueryRefusedError as error:
            raise self._with(error) from error
        self.asked.check()
        return found

    def instant(self, parameter: Parameter[str]) -> datetime:
        """Return an instant; note the problems of one that cannot be read."""
        found = self.attempt(
            lambda: read_instant(
                parameter.name,
                self.asked[parameter],
                zone=zone_of(self.asked[TIME_ZONE]),
                now=self.now,
            )
        )
        return self.now if found is None else found.at

    def attempt(self, read: Callable[[], Question]) -> Question | None:
        """Return what `read` returns; note its problems, and return None, where it refuses."""
        try:
            return read()
        except QueryRefusedError as error:
            self.asked.problems += error.problems
            return None

    def default(self, parameter: Parameter[Any], text: str) -> None:
        """Take a text for a parameter that is not given."""
        if not self.asked.is_given(parameter):
            self.asked.texts = {**self.texts, parameter.name: [text]}

    def path(self, name: str) -> str:
        """Return a part of the path. Raises QueryRefusedError for what no id holds."""
        text = str(self.request.path_params[name])
        try:
            return plain(text)
        except RefusedTextError as error:
            raise QueryRefusedError(Problem(name, error.reason, error.remedy)) from error

    def key(self) -> tuple[Any, ...]:
        """Return what an answer depends on: the page, who may see what, and the parameters."""
        texts = sorted((name, tuple(values)) for name, values in self.texts.items())
        return (self.request.url.path, self.workspace_id, *texts)

    async def body(self, model: type[Body]) -> Body:
        """Return the body. Raises QueryRefusedError with every problem of its fields."""
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise UnsupportedBodyError("send JSON, with Content-Type: application/json")
        data = bytearray()
        async for piece in self.request.stream():
            data += piece
            if len(data) > MAX_BODY_BYTES:
                raise BodyTooLargeError(f"a body may have {MAX_BODY_BYTES} bytes")
        try:
            return model.model_validate(orjson.loads(data))
        except orjson.JSONDecodeError as error:
            raise QueryRefusedError(Problem("body", f"no JSON: {error}", "send JSON")) from error
        except ValidationError as error:
            raise QueryRefusedError(*(_field_problem(each) for each in error.errors())) from error

    def _with(self, error: QueryRefusedError) -> QueryRefusedError:
        """Return a refusal that also has the problems that were noted before, each once."""
        return QueryRefusedError(*dict.fromkeys([*self.asked.problems, *error.problems]))

    def _check_plain(self, name: str, values: Sequence[str]) -> None:
        try:
            for value in values:
                plain(value)
        except RefusedTextError as error:
            self.asked.refuse(name[:64], error.reason, error.remedy)

    def _workspace(self) -> str | None:
        # An empty one counts as not given, as everywhere.
        asked = self.asked[WORKSPACE] or None
        own = self.caller.workspace
        if own is not None and asked not in {None, own}:
            raise ForbiddenError(
                "this token sees another workspace",
                "leave out the parameter workspace, or use a token of that one",
            )
        return own if own is not None else asked


def _field_problem(error: Any) -> Problem:
    place = ".".join(str(part) for part in error["loc"]) or "body"
    return Problem(place, error["msg"][:200], "see the schema of the body in /api/v1/openapi.json")
