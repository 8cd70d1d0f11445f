"""What `earlet listen` prints: JSON lines, or words with a live line where there is a terminal."""

import sys

import typer

from earlet.ear import Ear, Said, in_words, summary
from earlet.live import LiveLine, event_line, json_line, verdict_line
from earlet.sound_in import Source

_LINE_EVERY_S = 1.0


class Show:
    """Prints what is said: JSON, or words with a live line where there is a terminal."""

    def __init__(self, ear: Ear, *, as_json: bool, quiet: bool) -> None:
        self._ear, self._as_json = ear, as_json
        self._line = LiveLine(sys.stderr)
        self._verdicts = not quiet and (as_json or not self._line.is_shown)
        self._live = not quiet and not as_json and self._line.is_shown
        self._next_line_s = 0.0

    def __call__(self, said: list[Said]) -> None:
        """What was said of a piece of sound, and the live line anew."""
        for one in said:
            self._print(one)
        if self._live:
            stream = self._ear.stream
            self._line.show(
                heard_s=stream.heard_s,
                level_db=self._ear.level_db,
                verdict=stream.latest,
                smoothed=self._ear.events.smoothed,
            )

    def end(self, said: list[Said], source: Source) -> None:
        """The last events, and the summary."""
        if self._live:
            self._line.wipe()
        for one in said:
            self._print(one)
        ear = self._ear
        if self._as_json:
            typer.echo(json_line("summary", summary(ear, source)))
        else:
            typer.echo(in_words(ear, source))

    def _print(self, said: Said) -> None:
        if said.zeros_s is not None:
            self._stay(
                f"nothing but zeros has arrived for {said.zeros_s:.0f} s: is the microphone muted, "
                "or is this program not allowed to hear it?",
                err=True,
            )
        if said.event is not None:
            event = said.event
            phase = "begin" if event.end_s is None else "end"
            self._stay(
                json_line("event", {"phase": phase, **event.as_dict()})
                if self._as_json
                else event_line(event)
            )
        if said.verdict is not None and self._verdicts:
            verdict = said.verdict
            if self._as_json:
                self._stay(json_line("verdict", {**verdict.as_dict(), "smoothed": said.smoothed}))
            elif verdict.end_s >= self._next_line_s:
                self._next_line_s = verdict.end_s + _LINE_EVERY_S
                self._stay(verdict_line(verdict, said.smoothed))

    def _stay(self, line: str, *, err: bool = False) -> None:
        if self._live:
            self._line.wipe()
        typer.echo(line, err=err)
