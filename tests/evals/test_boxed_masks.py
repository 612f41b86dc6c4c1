"""Masks asked for by the box that was said, in place of the phrase."""

from loupe.evals import open_questions
from loupe.evals.grid import Masks
from loupe.regions import Box, Point
from loupe.sample import Answer, Found, Regions
from loupe.world import write


class SaysTheBox:
    """A box for the phrase; then keeps what it is asked and says yes."""

    name = "says"

    def __init__(self, box: Box | None):
        self.box, self.asked = box, []

    def answer(self, samples):
        for s in samples:
            if s.task == "grounding":
                yield Answer((Found(self.box),) if self.box else ("none",))
            else:
                self.asked.append(s)
                yield Answer(("yes",))


def test_questions_mean_the_thing_by_the_said_box(tmp_path):
    write(tmp_path / "data", 2, seed=5, val=2, world="mini")
    samples = open_questions("refcoco-masks-val", tmp_path / "data").samples[:2]
    box = Box(12, 12, 36, 36)
    predictor = SaysTheBox(box)
    answers = list(Masks(predictor, 8, inside=True, boxed=True).answer(samples))
    assert len(predictor.asked) == 8 and all(a.found[1].region.box == box for a in answers)  # 2 x 2 cells of 12 each
    for s in predictor.asked:
        regions = [r for part in s.turns[0].parts if isinstance(part, Regions) for r in part.regions]
        assert box in regions and sum(isinstance(r, Point) for r in regions) == 1
        assert s.extra["phrase"] not in "".join(p for p in s.turns[0].parts if isinstance(p, str))
    assert [a.problems[0].kind for a in Masks(SaysTheBox(None), 8, True, True).answer(samples)] == ["no box"] * 2
