"""Models and trained experts as players: what a model has seen is not encoded again."""

import json
import sys
import types
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from loupe.cli import main
from loupe.cli.play import labels, learnt
from loupe.errors import ConfigError, FileError
from loupe.games import GAMES
from loupe.games.arcade import Arcade, Sight
from loupe.games.players import Asked, still
from loupe.games.rollout import rollout
from loupe.games.trained import algorithm_of, expert
from tests.games.playground import LENGTH, Lights, facing

LIGHTS = replace(GAMES["space-invaders"], repeat=1, idle=False, stack=3)


@pytest.fixture(scope="module")
def model(standin_parts):
    from loupe.predictors.checkpoint import Model

    return Model.load(standin_parts / "mini", device="cpu", answer=4)


def test_frames_are_encoded_once_and_the_answers_stay_the_same(model):
    sights = [Sight(np.full((24, 24, 3), 20 * k, np.uint8)) for k in range(6)]
    asked = Asked(model, LIGHTS, pictures=4)
    samples = [asked.sample(sights[k:k + 3]) for k in range(4)]
    plain = [next(iter(model.answer([s]))) for s in samples]
    remembered = [next(iter(asked.predictor.answer([s]))) for s in samples]
    assert [a.raw for a in plain] == [a.raw for a in remembered]
    assert [a.score for a in remembered] == pytest.approx([a.score for a in plain], rel=1e-4)
    memory = asked.predictor.memory
    assert memory.encoded == 6 and list(memory.seen) == [s.image for s in sights[2:]]  # of 12 pictures shown


def test_a_model_plays_through_and_every_step_is_counted(model):
    asked = Asked(model, LIGHTS)
    episodes = list(rollout(asked, range(2), lambda: Arcade(LIGHTS, Lights()), together=2, most=4))
    assert [e.steps for e in episodes] == [4] * 2
    assert all(sum(e.problems.values()) <= 4 for e in episodes)
    assert asked.predictor.memory.encoded <= 2 * 4


def checkpoint(path, data):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data", json.dumps(data))
    return path


@pytest.mark.parametrize("module,more,name", [
    ("stable_baselines3.dqn.policies", {}, "dqn"), ("sb3_contrib.qrdqn.policies", {}, "qrdqn"),
    ("stable_baselines3.common.policies", {"clip_range": 0.2, "ent_coef": 0.0}, "ppo"),
    ("stable_baselines3.common.policies", {"ent_coef": 0.0}, "a2c"),
    ("sb3_contrib.common.recurrent.policies", {"clip_range": 0.2}, "recurrent-ppo")])
def test_how_an_expert_was_trained_is_told_from_its_file(tmp_path, module, more, name):
    path = checkpoint(tmp_path / "e.zip", {"policy_class": {"__module__": module}, **more})
    assert algorithm_of(path) == name


class Agent:
    """What stable-baselines3 gives back, as far as it is used."""

    observation_space = types.SimpleNamespace(shape=(2, 12, 12))
    action_space = types.SimpleNamespace(n=6)
    seen: list = []
    given: dict = {}

    @classmethod
    def load(cls, path, device, **given):
        cls.given = given
        return cls()

    def predict(self, observation, state, episode_start, deterministic):
        self.seen.append((observation, state, bool(episode_start[0])))
        return np.array(2), (state or 0) + 1


def test_an_expert_sees_frames_as_it_was_trained_on_them(tmp_path, monkeypatch):
    path = checkpoint(tmp_path / "dqn.zip", {"policy_class": {"__module__": "stable_baselines3.dqn.policies"}})
    monkeypatch.setitem(sys.modules, "stable_baselines3", types.SimpleNamespace(DQN=Agent))
    (episode,) = rollout(expert(path, LIGHTS), [1], lambda: Arcade(LIGHTS, Lights()))
    assert episode.steps == LENGTH and len(Agent.seen) == LENGTH
    (first, state, begun), (second, later, again) = Agent.seen[:2]
    assert first.shape == (2, 12, 12) and not first[0].any() and first[1].any() and (state, begun) == (None, True)
    assert (second[0] == first[1]).all() and (later, again) == (1, False)
    del Agent.seen[:]
    rollout_of = rollout(expert(path, LIGHTS, "skip=3"), [1], lambda: Arcade(LIGHTS, Lights()))
    assert next(rollout_of).steps == LENGTH and len(Agent.seen) == LENGTH // 3
    assert [begun for *_, begun in Agent.seen] == [True, False, False, False]
    del Agent.seen[:]


@pytest.mark.parametrize("said,newest", [("", (9, 8, 7)), ("grey", (8,)), ("dqn,grey", (8,))])
def test_channels_in_threes_are_colours_or_grey_frames(tmp_path, monkeypatch, said, newest):
    path = checkpoint(tmp_path / "dqn.zip", {"policy_class": {"__module__": "stable_baselines3.dqn.policies"}})
    wide = type("Wide", (Agent,), {"observation_space": types.SimpleNamespace(shape=(12, 12, 6))})
    monkeypatch.setitem(sys.modules, "stable_baselines3", types.SimpleNamespace(DQN=wide))
    player = expert(path, LIGHTS, said)
    seen = player.make(1).observation(np.full((24, 24, 3), (9, 8, 7), np.uint8))
    assert seen.shape == (12, 12, 6) and tuple(seen[0, 0]) == (0,) * (6 - len(newest)) + newest
    assert ("grey" in player.identity) == ("grey" in said)


def test_an_expert_is_opened_without_what_it_learnt_with(tmp_path, monkeypatch):
    """As released agents need it: a memory of gigabytes is not built, and old spaces do not ask for OpenAI's gym."""
    spaces = pytest.importorskip("gymnasium", reason="loupe[games] is not installed").spaces
    monkeypatch.setitem(sys.modules, "stable_baselines3", types.SimpleNamespace(DQN=Agent, PPO=Agent))
    data = {"policy_class": {"__module__": "stable_baselines3.dqn.policies"}, "optimize_memory_usage": True}
    expert(checkpoint(tmp_path / "new.zip", data), LIGHTS)
    assert (Agent.given["buffer_size"], Agent.given["optimize_memory_usage"]) == (1, False)
    assert "action_space" not in Agent.given["custom_objects"] and Agent.given["custom_objects"]["lr_schedule"] == 0
    old = {"observation_space": {":type:": "<class 'gym.spaces.box.Box'>", "_shape": [4, 84, 84]},
           "action_space": {":type:": "<class 'gym.spaces.discrete.Discrete'>", "n": "6"}}
    expert(checkpoint(tmp_path / "old.zip", {**data, **old}), LIGHTS)
    assert Agent.given["custom_objects"]["observation_space"] == spaces.Box(0, 255, (4, 84, 84), np.uint8)
    assert Agent.given["custom_objects"]["action_space"] == spaces.Discrete(6)
    old["action_space"] = {":type:": "<class 'gym.spaces.box.Box'>", "shape": [3]}
    expert(checkpoint(tmp_path / "car.zip", {**data, **old}), LIGHTS, "ppo")
    assert Agent.given["custom_objects"]["action_space"].shape == (3,) and "buffer_size" not in Agent.given


@pytest.mark.filterwarnings("ignore")
def test_a_real_checkpoint_plays(tmp_path):
    """What stable-baselines3 itself saves: four grey frames, as its Atari agents have them."""
    agents = pytest.importorskip("stable_baselines3", reason="stable-baselines3 is not installed")
    import gymnasium
    from stable_baselines3.common.vec_env import DummyVecEnv, VecFrameStack

    class Noise(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0, 255, (36, 36, 1), np.uint8)
        action_space = gymnasium.spaces.Discrete(6)

        def reset(self, seed=None, options=None):
            return self.observation_space.sample(), {}

    made = agents.DQN("CnnPolicy", VecFrameStack(DummyVecEnv([Noise]), 4), buffer_size=4)
    made.optimize_memory_usage = True  # as agents of 2022 have it: with what is the rule today it is an error
    made.save(tmp_path / "agent.zip")
    made = expert(tmp_path / "agent.zip", LIGHTS)
    (episode,) = rollout(made, [1], lambda: Arcade(LIGHTS, Lights()))
    assert episode.steps == LENGTH and made.identity["algorithm"] == "dqn"
    with pytest.raises(ConfigError, match="does not play car-racing"):
        expert(tmp_path / "agent.zip", GAMES["car-racing"])


def test_wrong_experts_are_told(tmp_path, monkeypatch):
    with pytest.raises(FileError, match="does not exist"):
        expert(tmp_path / "none.zip", LIGHTS)
    (tmp_path / "text.zip").write_text("no zip")
    with pytest.raises(FileError, match="no checkpoint"):
        expert(tmp_path / "text.zip", LIGHTS)
    with pytest.raises(FileError, match="no checkpoint.*list"):
        expert(checkpoint(tmp_path / "list.zip", []), LIGHTS)
    path = checkpoint(tmp_path / "e.zip", {"policy_class": {}})
    with pytest.raises(ConfigError, match="did you mean 'ppo'"):
        expert(path, LIGHTS, "ppp")
    with pytest.raises(ConfigError, match="'skip=0'"):
        expert(path, LIGHTS, "ppo,skip=0")
    monkeypatch.setitem(sys.modules, "stable_baselines3", types.SimpleNamespace(PPO=Agent))
    with pytest.raises(ConfigError, match="does not play car-racing.*3 numbers"):
        expert(path, GAMES["car-racing"], "ppo")
    def old(path, device, **given):
        raise ModuleNotFoundError("No module named 'old_robots'")

    monkeypatch.setitem(sys.modules, "stable_baselines3", types.SimpleNamespace(PPO=types.SimpleNamespace(load=old)))
    with pytest.raises(FileError, match="cannot be opened.*old_robots.*e.zip"):
        expert(path, LIGHTS, "ppo")
    monkeypatch.setitem(sys.modules, "sb3_contrib", None)
    with pytest.raises(ConfigError, match="pip install stable-baselines3 sb3-contrib"):
        expert(path, LIGHTS, "qrdqn")


@pytest.fixture
def lights(monkeypatch):
    """`loupe play` on the tiny environment."""
    from loupe.games.players import Each

    monkeypatch.setitem(GAMES, "space-invaders", LIGHTS)
    monkeypatch.setattr("loupe.games.arcade.opened", lambda game: Lights())
    monkeypatch.setattr("loupe.games.arcade.check", lambda game: None)
    monkeypatch.setattr("loupe.games.scripted.scripted", lambda game: Each("scripted", lambda seed: facing))


def test_the_command_plays_records_and_goes_on(lights, tmp_path, capsys):
    out = ["space-invaders", "--episodes", "3", "--out", str(tmp_path / "out")]
    assert main(["play", "still", *out]) == 0
    said, progress = capsys.readouterr()
    assert f"scripted, seed 3002: reward {LENGTH}.0 after {LENGTH} steps" in progress.splitlines()
    said = " ".join(said.split())
    assert "seeds 3000 to 3002" in said and "scripted 12.0 [12.0, 12.0]" in said and "above random" in said
    figures = json.loads((tmp_path / "out/space-invaders/play.json").read_text())
    assert [p["player"] for p in figures["players"]] == ["still", "scripted", "random"]
    assert figures["players"][1]["figures"]["mean reward"]["value"] == LENGTH
    kept = {p: p.stat().st_mtime_ns for p in (tmp_path / "out").rglob("30*.json")}
    assert len(kept) == 9 and main(["play", "still", *out]) == 0
    assert kept == {p: p.stat().st_mtime_ns for p in kept}
    record = ["play", "scripted", "space-invaders", "--record", str(tmp_path / "games"), "--episodes", "2"]
    assert main(record) == main(record) == 0
    assert len(list((tmp_path / "games").rglob("*.jsonl"))) == 2


def test_players_are_told_apart(lights, tmp_path, capsys, monkeypatch):
    assert labels(["runs/a/pae", "runs/b/pae", "mini"]) == ["runs/a/pae", "runs/b/pae", "mini"]
    assert labels(["runs/a/one", "runs/b/two#x", "expert.zip"]) == ["one", "two#x", "expert.zip"]
    monkeypatch.setattr("loupe.cli.play.player", lambda name, game, device: still(game))
    words = ["a/pae", "space-invaders", "--beside", "b/pae", "--episodes", "1", "--out", str(tmp_path)]
    assert main(["play", *words]) == 0
    assert "above b/pae" in capsys.readouterr().out
    assert {p.parent.name for p in tmp_path.rglob("3000.json")} == {"a-pae", "b-pae"}


def test_games_that_go_on_say_so_where_no_bar_is_drawn(lights, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("loupe.cli.play.PULSE", -1.0)
    assert main(["play", "still", "space-invaders", "--episodes", "1", "--beside", "none", "--out", str(tmp_path)]) == 0
    said, progress = capsys.readouterr()
    assert progress.splitlines()[3] == "still: every game in progress is at step 4"
    assert "above" not in said and "1 game " in said


def test_a_model_that_plays_what_it_has_learnt_from_is_told(lights, carried, tmp_path, capsys):
    """The seeds go from the recording into the run's and the model's manifest, and on with weights=RUN."""
    games, run, more = (str(tmp_path / name) for name in ("games", "run", "more"))
    assert main(["play", "scripted", "space-invaders", "--record", games, "--episodes", "2"]) == 0
    words = ["train", "space-invaders-mini", "stages.imitate.steps=1", "stages.imitate.batch=2", "--device", "cpu"]
    assert main([*words, "--root", f"games={games}", "--out", run]) == 0
    for place in ("manifest.json", "model/manifest.json"):
        known = json.loads((tmp_path / "run" / place).read_text())
        assert known.get("extra", known)["games"] == {"space-invaders": [2000, 2001]}
    assert main(["play", "scripted", "space-invaders", "--record", more, "--episodes", "1", "--seed", "7"]) == 0
    assert main([*words, f"weights={run}", "--root", f"games={more}", "--out", f"{more}-run"]) == 0
    capsys.readouterr()
    play = ["space-invaders", "--episodes", "3", "--steps", "1", "--beside", "still", "--out", str(tmp_path / "out")]
    assert main(["play", run, *play, "--seed", "2001"]) == 0
    assert "not unseen: run has learnt from 1 of these 3 games (seed 2001)" in capsys.readouterr().out
    kept = json.loads((tmp_path / "out/space-invaders/play.json").read_text())["players"]
    assert [player["learnt from"] for player in kept] == [[2001], []]
    assert main(["play", run, *play]) == 0 and "not unseen" not in capsys.readouterr().out
    assert main(["play", f"{more}-run", *play, "--seed", "6"]) == 0
    assert "1 of these 3 games (seed 7)" in capsys.readouterr().out
    assert learnt(f"{more}-run", LIGHTS) == [7, 2000, 2001] and learnt("still", LIGHTS) == []


def test_thirty_games_are_recorded(lights, tmp_path, capsys):
    assert main(["play", "scripted", "space-invaders", "--record", str(tmp_path), "--steps", "1"]) == 0
    assert sorted(int(p.stem) for p in tmp_path.rglob("*.jsonl")) == list(range(2000, 2030))


@pytest.mark.parametrize("words,said", [
    (["still", "pong"], "unknown game"), (["still", "space-invaders", "--episodes", "0"], "--episodes"),
    (["still", "space-invaders", "--format", "mp4"], "unknown format"),
    (["scriptd", "space-invaders"], "did you mean 'scripted'"), (["grey", "space-invaders"], "does not look"),
    (["gone.zip", "space-invaders"], "does not exist"),
    (["still", "space-invaders", "--record", "x", "--split", "../up"], "folder")])
def test_bad_input_is_one_line(lights, words, said, capsys):
    assert main(["play", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
