"""One partition of a family of streams: what reads it, what writes it, what the state keeps of it.

Windows and the passes behind them share it, so that all of them read through certificates, count
what they do in one place, and write rows the same way.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import typing as t
from collections import deque
from http import HTTPStatus

from automate_api.errors import ProtocolError, RequestRefusedError
from tap_automate.blocks import blocks_of
from tap_automate.downloads.downloads import Downloads
from tap_automate.reading.fetching import Fetching
from tap_automate.reading.windows import UncertifiableError

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from singer_sdk.helpers.types import Context

    from tap_automate.reading.codec import Codec
    from tap_automate.reading.reader import Reader
    from tap_automate.reading.windows import Certified, Row
    from tap_automate.resources import ResourceStream
    from tap_automate.sdk_seams import Block, RowStream


class Narrowing(t.NamedTuple):
    """What a list call is asked for, beyond rooftop and filters of the settings.

    Attributes:
        parameters: Query parameter to value.
        obeys: Tells of a record, a struct or a dict, whether it is one that was asked for.
    """

    parameters: Mapping[str, str]
    obeys: Callable[[t.Any], bool]

    def check(self, path: str) -> Callable[[Sequence[t.Any], str | None], None]:
        """Return what refuses records that the server should have left out.

        Args:
            path: The list call, for the message.
        """

        def refuse(records: Sequence[t.Any], request_id: str | None) -> None:
            if wrong := sum(not self.obeys(record) for record in records):
                names = " and ".join(f"`{name}`" for name in self.parameters)
                msg = (
                    f"GET {path}: {wrong} of {len(records)} rows are not what was asked for by "
                    f"{names}. The server does not apply this to this path."
                )
                raise NotNarrowedError(msg, request_id=request_id)

        return refuse


class NotNarrowedError(ProtocolError):
    """A server gave rows that it was asked to leave out."""


class Partition:
    """What a load and its passes need of a partition.

    Attributes:
        stream: The parent of the family.
        context: Its query parameters: rooftop and filters; None for everything.
        codec: Reads the records.
        members: The selected streams of the family, the parent first.
        config: The settings.
        report: Counts what is done.
    """

    def __init__(self, stream: ResourceStream, context: Context | None, codec: Codec) -> None:
        """Bring together what belongs to it.

        Args:
            stream: The parent of the family.
            context: The partition; None where there is one.
            codec: Reads the records.
        """
        self.stream = stream
        self.context = context
        self.codec = codec
        self.members: list[RowStream] = stream.members()
        self.config: Mapping[str, t.Any] = stream.config
        self.report = stream.tap.progress.stream(stream.name)

    @functools.cached_property
    def downloads(self) -> Downloads | None:
        """What fetches the files that its records name; None where none are wanted."""
        files = self.stream.wanted_files()
        return Downloads(self, files) if files else None

    def reader(self, narrowing: Narrowing | None = None) -> Reader:
        """Make what asks for its pages.

        Args:
            narrowing: What to ask for of it; all of it unless given.
        """
        return self.stream.reader(self.context, self.codec, narrowing)

    def keeps_state(self, member: RowStream) -> bool:
        """Tell whether the state counts: not in a backfill, nor for a full table."""
        return member.replication_method == "INCREMENTAL" and not self.config.get("end_date")

    def state(self, member: RowStream) -> dict[str, t.Any]:
        """Return what the state holds for a member, to be read and to be changed."""
        state: dict[str, t.Any] = member.get_context_state(self.context)
        return state

    @property
    def notes(self) -> Mapping[str, t.Any]:
        """Where passes find what they have kept for the whole family."""
        return self.state(self.members[0])

    def keep(self, name: str, note: object) -> None:
        """Have the next run find a note of a pass, in one place of the state.

        Args:
            name: Of the note.
            note: What JSON has a form for.
        """
        keeper, *others = self.members
        self.state(keeper)[name] = note
        for member in others:  # of a time when another stream was the first of the selected
            self.state(member).pop(name, None)

    def fetching(
        self,
        start: int,
        end: int,
        narrowing: Narrowing | None = None,
        *,
        concurrency: int | None = None,
    ) -> Fetching:
        """Make what reads a span of time by certified windows.

        Args:
            start: First second since 1970.
            end: Last second; no row may enter the span any more.
            narrowing: What to ask for of it.
            concurrency: Requests under way at most; as the settings say unless given.
        """
        return Fetching(
            self.reader(narrowing).fetch,
            start,
            end,
            concurrency=concurrency or self.config["concurrency"],
            stop=self.stream.tap.stop,
            answered=self.report.answered,
        )

    def narrowed(
        self, start: int, end: int, narrowings: Sequence[Narrowing]
    ) -> Iterator[Certified]:
        """Read a span several times, each time for something else of it.

        Most of these lists are short, so the first pages of several are asked for together.

        Args:
            start: First second since 1970.
            end: Last second; no row may enter the span any more.
            narrowings: What to ask for.

        Yields:
            The windows of one after the other, each in the order of time.

        Raises:
            UncertifiableError: When an instant gives no certificate.
            NotNarrowedError: When the server gives other rows than were asked for.
            AutomateError: As `Client.list_page`.
        """
        most = self.config["concurrency"]
        share = max(1, most // max(1, len(narrowings)))
        rest = iter(narrowings)
        begun: deque[Fetching] = deque()
        with contextlib.ExitStack() as open_ones:

            def begin(count: int) -> None:
                for narrowing in itertools.islice(rest, count):
                    fetching = self.fetching(start, end, narrowing, concurrency=share)
                    begun.append(open_ones.enter_context(fetching))

            begin(most)
            while begun:
                for certified in begun.popleft().windows():
                    self.report.window(certified)
                    yield certified
                begin(1)

    def blocks(
        self, rows: Sequence[Row], fresh: Mapping[RowStream, Sequence[Row]]
    ) -> Iterator[Block]:
        """Yield records and what is cut from them, and count them.

        Args:
            rows: In the order in which they are emitted.
            fresh: Stream to those rows that it is to have, the parent first.
        """
        for member, records in blocks_of(rows, fresh, self.codec):
            member.follow(self.codec.drift)
            if self.downloads and member is self.stream:
                self.downloads.fetch(records)
            self.stream.tap.progress.stream(member.name).emitted(len(records))
            yield member, records

    @contextlib.contextmanager
    def excused(self, what: str) -> Iterator[None]:
        """Go on with a warning where a pass cannot be made at this tenant.

        What a pass asks of the server, no contract documents; the windows need none of it.

        Args:
            what: Is not done; a sentence without its end.

        Raises:
            TryLaterError: When rows did not hold still.
        """
        try:
            yield
        except (NotNarrowedError, RequestRefusedError) as error:
            if getattr(error, "status", 0) >= HTTPStatus.INTERNAL_SERVER_ERROR:
                raise
            self.stream.say_once(logging.WARNING, what, error)
        except UncertifiableError as error:
            then = f"So {what}; the bookmark stands. Run again later."
            raise self.stream.uncertified(error, then) from None
