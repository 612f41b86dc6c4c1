"""What was paid: tokens and money, a line a reply on disk, and a budget that says stop before it is passed."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from loupe.endpoint.reply import Reply, guessed_tokens
from loupe.errors import ConfigError, FileError, LoupeError

MILLION = 1_000_000


class Spent(LoupeError):
    """The next request would pass the budget."""


@dataclass(frozen=True)
class Budget:
    """Prices are for a million tokens, in any one currency. None: no bound."""

    prompt_price: float = 0.0
    answer_price: float = 0.0
    money: float | None = None
    tokens: int | None = None

    def __post_init__(self):
        if self.money is not None and not (self.prompt_price or self.answer_price):
            raise ConfigError("a budget of money needs prices", got=f"budget {self.money}, no price",
                              expected="--price PROMPT,ANSWER for a million tokens",
                              do="or bound it by --budget-tokens")
        for name in ("prompt_price", "answer_price", "money", "tokens"):
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ConfigError(f"{name} is negative", got=value, expected="0 or more")

    def cost(self, prompt: int, answer: int) -> float:
        return (prompt * self.prompt_price + answer * self.answer_price) / MILLION


class Ledger:
    """Sums over all runs that share the file. cached: replies that cost nothing. troubles: refusals, by kind.

    factor: the most tokens a server found in a prompt for each guessed one.
    """

    def __init__(self, path: str | os.PathLike | None = None, budget: Budget | None = None):
        self.path, self.budget = None if path is None else Path(path), budget or Budget()
        self.prompt = self.answer = self.paid = self.guessed = self.cached = 0
        self.troubles: Counter[str] = Counter()
        self.factor = 1.0
        self._reserved: list[tuple[int, int]] = []
        if self.path is not None and self.path.exists():
            self._load()

    @property
    def cost(self) -> float:
        return self.budget.cost(self.prompt, self.answer)

    def reserve(self, request: dict) -> tuple[int, int]:
        """Sets aside the most a request may cost; Spent if that is more than is left.

        How many tokens a server finds in a prompt is learnt from its replies: requests begun before the first one
        are reckoned by their characters alone.
        """
        most = math.ceil(guessed_tokens(request) * self.factor), int(request.get("max_tokens", 0))
        waiting = [sum(column) for column in zip(*self._reserved, most)]
        prompt, answer = self.prompt + waiting[0], self.answer + waiting[1]
        money, tokens = self.budget.money, self.budget.tokens
        if money is not None and self.budget.cost(prompt, answer) > money:
            raise Spent("the budget is spent", got=f"{self.cost:.4f} of {money}, the next request may cost "
                        f"{self.budget.cost(*most):.4f}", do="run the same command with a larger --budget to go on")
        if tokens is not None and prompt + answer > tokens:
            raise Spent("the budget is spent", got=f"{self.prompt + self.answer:,} of {tokens:,} tokens, the next "
                        f"request may need {sum(most):,}", do="run the same command with a larger --budget-tokens")
        self._reserved.append(most)
        return most

    def release(self, most: tuple[int, int]) -> None:
        self._reserved.remove(most)

    def pay(self, key: str, reply: Reply, request: dict) -> None:
        guess = guessed_tokens(request)
        self._add(reply.prompt_tokens, reply.answer_tokens, reply.counted, guess)
        if self.path is not None:
            line = json.dumps({"key": key[:16], "prompt": reply.prompt_tokens, "answer": reply.answer_tokens,
                               "counted": reply.counted, "guess": guess})
            with self.path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")

    def summary(self) -> dict:
        return {"replies paid": self.paid, "replies from the cache": self.cached, "prompt tokens": self.prompt,
                "answer tokens": self.answer, "replies whose tokens were guessed": self.guessed,
                "cost": round(self.cost, 6), "prices for a million": [self.budget.prompt_price,
                                                                      self.budget.answer_price],
                "troubles": dict(sorted(self.troubles.items()))}

    def _add(self, prompt: int, answer: int, counted: bool, guess: int) -> None:
        self.prompt, self.answer, self.paid = self.prompt + prompt, self.answer + answer, self.paid + 1
        self.guessed += not counted
        self.factor = max(self.factor, prompt / guess)

    def _load(self) -> None:
        whole, _, torn = self.path.read_bytes().rpartition(b"\n")
        if torn:  # by a kill
            os.truncate(self.path, len(whole) + bool(whole))
        for number, line in enumerate(whole.split(b"\n") if whole else (), 1):
            try:
                data = json.loads(line)
                prompt, answer = int(data["prompt"]), int(data["answer"])
                guess = int(data.get("guess", max(prompt, 1)))
                if min(prompt, answer) < 0 or guess < 1:
                    raise ValueError("tokens below 0")
                self._add(prompt, answer, bool(data["counted"]), guess)
            except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
                raise FileError("a line of the ledger cannot be read", got=error, where=f"{self.path}:{number}",
                                do="delete that line; what it cost is then not counted") from None
