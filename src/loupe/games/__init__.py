"""Games seen as pictures and played in words: environments, experts, recordings, rollouts (PAE-LaMM §3.4).

What a player does stands as text in `loupe.tasks.playing`; recorded games are read by `loupe.readers.games`.
"""

from loupe.games.game import GAMES, Game, game

__all__ = ["GAMES", "Game", "game"]
