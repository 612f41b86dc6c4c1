"""Replies kept by request: asking the same again costs nothing. One SQLite file, safe against a kill."""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import replace
from pathlib import Path

from loupe.endpoint.reply import Reply
from loupe.errors import FileError


class Cache:
    """`path` None keeps nothing beyond this process."""

    def __init__(self, path: str | os.PathLike | None = None):
        self.path = None if path is None else Path(path)
        try:
            if self.path is not None:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            self._rows = sqlite3.connect(self.path or ":memory:", isolation_level=None)
            self._rows.execute("PRAGMA journal_mode=WAL")
            self._rows.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL)")
        except (sqlite3.Error, OSError) as error:
            raise FileError("cannot open the cache of replies", got=error, where=self.path,
                            do="delete the file, or give another --cache") from None

    def get(self, key: str) -> Reply | None:
        """None, too, of a reply that cannot be read: it is asked for again."""
        try:
            row = self._rows.execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise FileError("the cache of replies is damaged", got=error, where=self.path,
                            do="delete the file, or give another --cache") from None
        return None if row is None else _reply(row[0])

    def put(self, key: str, reply: Reply) -> None:
        try:
            self._rows.execute("INSERT OR REPLACE INTO replies VALUES (?, ?)",
                               (key, json.dumps(reply.stored(), ensure_ascii=False)))
        except sqlite3.Error as error:
            raise FileError("cannot keep a reply", got=error, where=self.path,
                            do="make room and run the same command again") from None

    def __len__(self) -> int:
        return self._rows.execute("SELECT count(*) FROM replies").fetchone()[0]

    def close(self) -> None:
        self._rows.close()


def _reply(text: str) -> Reply | None:
    try:
        reply = Reply(**json.loads(text), cached=True)
        whole = isinstance(reply.text, str) and isinstance(reply.finish, str) and all(
            type(n) is int for n in (reply.prompt_tokens, reply.answer_tokens))
        return replace(reply, logs=tuple((str(token), float(log)) for token, log in reply.logs)) if whole else None
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
