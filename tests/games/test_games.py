"""Rollouts, recordings and players on a tiny environment; the real ones at the end, where they are installed."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image as Pillow

from loupe.errors import ConfigError, FileError
from loupe.games import GAMES, game
from loupe.games.arcade import Arcade, Sight, check
from loupe.games.match import Settings, mean, played, rows_of
from loupe.games.players import SILENT, Asked, Each, Move, chance, still
from loupe.games.rollout import rollout
from loupe.games.watching import Animation, Recording, spoken
from loupe.predictor import unanswered
from loupe.readers import reader
from loupe.sample import Answer
from loupe.tasks import task
from tests.games.playground import LENGTH, Lights, facing

LIGHTS = replace(GAMES["space-invaders"], repeat=1, idle=False, stack=3)


def arcade():
    return Arcade(LIGHTS, Lights())


def expert():
    return Each("facing", lambda seed: facing)


class Speaker:
    """A predictor that says the same at every step, or what a function of its sample says."""

    name = "speaker"

    def __init__(self, said):
        self.said, self.samples = said, []

    def answer(self, samples):
        for sample in samples:
            self.samples.append(sample)
            said = self.said(sample) if callable(self.said) else self.said
            yield said if isinstance(said, Answer) else Answer((said,), raw=said)


def test_a_game_is_the_same_for_the_same_seed_and_however_many_are_played_side_by_side():
    one = {e.seed: e for e in rollout(chance(LIGHTS), range(6), arcade)}
    many = {e.seed: e for e in rollout(chance(LIGHTS), range(6), arcade, together=4)}
    assert one == many and len({e.reward for e in one.values()}) > 1
    assert all(e.steps == LENGTH and e.end == "over" for e in one.values())
    assert [e.reward for e in rollout(expert(), range(3), arcade)] == [LENGTH] * 3
    assert [(e.steps, e.end) for e in rollout(expert(), [0], arcade, most=5)] == [(5, "limit")]


def test_environments_are_closed_when_a_player_fails():
    rooms = []

    def opened():
        rooms.append(Lights())
        return Arcade(LIGHTS, rooms[-1])

    def broken(sights):
        raise ConfigError("no")

    with pytest.raises(ConfigError):
        list(rollout(Each("broken", lambda seed: broken), range(3), opened, together=2))
    assert len(rooms) == 2 and all(room.closed for room in rooms)


def test_what_a_model_is_asked_and_what_becomes_of_its_answers():
    speaker = Speaker("RIGHT")
    asked = Asked(speaker, LIGHTS)
    (episode,) = rollout(asked, [3], arcade)
    (right,) = rollout(Each("right", lambda seed: lambda sights: (2.0,)), [3], arcade)
    assert episode == right and not episode.problems
    first, second = speaker.samples[:2]
    assert len(first.images) == 3 and first.images[0] == first.images[2] != second.images[2]
    assert second.images[:2] == first.images[1:] and first.task == "space-invaders"
    (dumb,) = rollout(Asked(Speaker("I would rather not"), LIGHTS), [3], arcade)
    (idle,) = rollout(still(LIGHTS), [3], arcade)
    assert dumb.reward == idle.reward and dumb.problems == {"unreadable": LENGTH}


def test_a_model_that_cannot_be_asked_or_never_answers_ends_the_game():
    wrong = Asked(Speaker(unanswered(ConfigError("question is too long"), "question")), LIGHTS)
    with pytest.raises(ConfigError, match="too long"):
        list(rollout(wrong, [0], arcade))
    with pytest.raises(ConfigError, match=f"does not answer.*{SILENT} steps"):
        list(rollout(Asked(Speaker(unanswered(OSError("gone"), "connection")), LIGHTS), range(9), arcade))


def test_recorded_games_are_what_was_played(tmp_path):
    shown = []

    def watchers(seed):
        return (Recording(tmp_path, LIGHTS, "train", seed, {"name": "facing"}),)

    def looked(sights):
        shown.append(tuple(s.pixels for s in sights))
        return facing(sights)

    episodes = list(rollout(Each("facing", lambda seed: looked), [4, 5], arcade, watchers=watchers))
    records = list(reader("games")(tmp_path, "train", game="space-invaders"))
    assert len(records) == 2 * LENGTH == len(shown)
    assert sum(r.extra["reward"] for r in records) == sum(e.reward for e in episodes)
    made = task("space-invaders")
    for record, frames in zip(records, shown):
        sample = made(record, np.random.default_rng(0))
        assert all((i.array() == f).all() for i, f in zip(sample.images, frames, strict=True))
        assert sample.turns[1].parts == (made.said(facing([Sight(f) for f in frames])),)
    assert task("car-racing")(records[0], np.random.default_rng(0)) is None
    single = reader("games")(tmp_path, "train", stack=1)[0]
    assert single.steps[0].before == ()
    head = json.loads(next(tmp_path.rglob("000004.jsonl")).read_text().splitlines()[0])
    assert head["reward"] == episodes[0].reward and head["size"] == [24, 24]


def test_a_game_that_was_cut_short_is_not_read(tmp_path):
    recording = Recording(tmp_path, LIGHTS, "train", 0, {})
    recording.step(Sight(np.zeros((4, 4, 3), np.uint8)), Move((1.0,)), 0.0)
    with pytest.raises(FileError, match="no recorded game"):
        reader("games")(tmp_path, "train")


def test_episodes_are_kept_and_only_missing_ones_are_played(tmp_path):
    rooms = []

    def opened():
        rooms.append(1)
        return arcade()

    settings = Settings((1, 2, 3), animated=1)
    first = played(chance(LIGHTS), LIGHTS, tmp_path, settings, arcade=opened)
    assert played(chance(LIGHTS), LIGHTS, tmp_path, settings, arcade=opened) == first and len(rooms) == 1
    (tmp_path / "2.json").write_text("{")
    assert played(chance(LIGHTS), LIGHTS, tmp_path, settings, arcade=opened) == first and len(rooms) == 2
    two = Settings((1, 2, 3), animated=2)  # a picture of 2 is wanted, too
    assert played(chance(LIGHTS), LIGHTS, tmp_path / "new", settings, arcade=opened) == first and len(rooms) == 3
    assert played(chance(LIGHTS), LIGHTS, tmp_path / "new", two, arcade=opened) == first and len(rooms) == 4
    assert (tmp_path / "new/2.webp").is_file()
    other = played(expert(), LIGHTS, tmp_path, settings, arcade=opened)  # another player: all are played again
    assert list(other.rewards) == [LENGTH] * 3
    with Pillow.open(tmp_path / "1.webp") as picture:
        assert picture.n_frames > 1 and not (tmp_path / "2.webp").exists()
    rows = rows_of([other, first])
    assert rows[1][1] == "12.0 [12.0, 12.0]" and rows[2][2] == ""
    gain = other.plain(first)["figures"]["above random"]
    assert gain["value"] == pytest.approx(np.mean(12 - first.rewards)) and gain["low"] <= gain["value"] <= gain["high"]


def test_a_mean_of_one_game_has_no_interval_and_that_of_many_is_about_the_textbooks():
    assert mean("", [5.0]).low is None and mean("", []).value == 0.0
    values = np.random.default_rng(1).normal(100, 20, 200)
    figure, half = mean("", values), 1.96 * values.std() / 200 ** 0.5
    assert figure.high - figure.low == pytest.approx(2 * half, rel=0.15)


@pytest.mark.parametrize("ending", ["webp", "gif"])
def test_long_games_are_thinned_out(tmp_path, monkeypatch, ending):
    monkeypatch.setattr("loupe.games.watching.MOST", 8)
    animation = Animation(tmp_path / f"a.{ending}", LIGHTS)
    (episode,) = rollout(expert(), [0], arcade, watchers=lambda seed: (animation,))
    with Pillow.open(tmp_path / f"a.{ending}") as picture:
        assert 4 <= picture.n_frames <= 9 and picture.size == (48, 48 + 28)
    with pytest.raises(ConfigError, match="format"):
        Animation(tmp_path / "a.mp4", LIGHTS)


def test_captions_say_what_was_said_or_done():
    assert spoken(Move((2.0,)), LIGHTS) == "RIGHT"
    assert spoken(Move((0.0,), "left,  please", "unreadable"), LIGHTS) == "left, please (unreadable)"
    assert spoken(Move((-0.25, 0.1, 0.0)), GAMES["car-racing"]) == "steer -0.2  gas 0.1  brake 0.0"


def test_frames_of_an_action_are_merged():
    class Blinking(Lights):
        def _seen(self):
            return np.full((2, 2, 3), 200 if self.count % 2 else 10, np.uint8)

        def step(self, action):
            self.count += 1
            return self._seen(), 1.0, self.count >= 7, False, {}

    made = Arcade(replace(LIGHTS, repeat=4), Blinking())
    made.begin(0)
    sight, reward, end = made.step((0.0,))
    assert sight.pixels.max() == sight.pixels.min() == 200 and (reward, end) == (4.0, "")
    assert made.step((0.0,))[1:] == (3.0, "over")


def test_a_player_sees_the_last_two_frames_of_an_action():
    """Frame k lights pixel k alone: of four frames the third and the fourth are seen."""
    class Marching(Lights):
        def step(self, action):
            self.count += 1
            return np.eye(6, dtype=np.uint8)[[self.count - 1]][..., None].repeat(3, 2) * 200, 0.0, False, False, {}

    made = Arcade(replace(LIGHTS, repeat=4), Marching())
    made.begin(0)
    assert np.flatnonzero(made.step((0.0,))[0].pixels[0, :, 0]).tolist() == [2, 3]


def test_openings_are_drawn_from_the_seed():
    """Behind the frames in which nothing is heeded: moves without a shot, no two openings alike."""
    invaders, car = GAMES["space-invaders"], GAMES["car-racing"]
    drawn = [tuple(invaders.opening(seed)) for seed in (*range(60), *range(1000, 1060))]
    assert len(set(drawn)) == 120 and drawn[3] == tuple(invaders.opening(3))
    assert {action for opening in drawn for action in opening} == {(0.0,), (2.0,), (3.0,)}
    assert all(129 <= len(opening) <= 248 and set(opening[:128]) == {invaders.still} for opening in drawn)
    assert car.opening(5) == [], "it draws its track itself"


def test_what_is_missing_or_unknown_is_said(monkeypatch):
    with pytest.raises(ConfigError, match="did you mean 'car-racing'"):
        game("car_racing")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ConfigError, match=r"pip install 'loupe\[games\]'"):
        check(GAMES["car-racing"])


@pytest.mark.parametrize("name", GAMES)
def test_real_games_play_and_repeat(name):
    pytest.importorskip("gymnasium", reason="loupe[games] is not installed")
    pytest.importorskip({"car-racing": "Box2D", "space-invaders": "ale_py"}[name], reason="loupe[games]")
    from loupe.games.scripted import scripted

    known = GAMES[name]
    seen = []
    for _ in range(2):
        (episode,) = rollout(scripted(known), [2], lambda: Arcade(known), most=20)
        seen.append(episode)
    assert seen[0] == seen[1] and seen[0].steps == 20
    room = Arcade(known)
    assert room.begin(0).pixels.shape == {"car-racing": (96, 96, 3), "space-invaders": (210, 160, 3)}[name]
    room.close()


def test_seeds_of_space_invaders_begin_games_that_differ():
    """To a player who acts by what it sees and no more."""
    pytest.importorskip("ale_py", reason="loupe[games] is not installed")
    invaders = GAMES["space-invaders"]
    room = Arcade(invaders)

    def memory(seed: int, steps: int) -> bytes:
        """Of the console, after so many steps of a player whose moves hang on the picture alone."""
        sight = room.begin(seed)
        for _ in range(steps):
            sight, _, end = room.step((float(sight.pixels[::7, ::5].astype(int).sum() // 37 % 6),))
            assert not end
        return bytes(room.environment.unwrapped.ale.getRAM())

    drawn = [memory(seed, 5) for seed in (0, 1, 2, 1000, 1001)]
    assert len(set(drawn)) == len(drawn)
    room.close()
