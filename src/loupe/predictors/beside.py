"""The trivial baselines that can stand beside a model on a benchmark. No torch."""

from __future__ import annotations

from dataclasses import replace

from loupe.errors import LoupeError
from loupe.predictors.baselines import FITTED, FOR, SCENES, baseline

FITTED_ON = 400  # training questions that baselines of drawn benchmarks are fitted on
FEW = 2000  # training pictures, where a few questions are to be answered soon


def beside(questions, roots, shelf=None, soon: bool = False) -> tuple[dict, list[str]]:
    """({name: predictor}, [why one is left out]); fitted ones where the benchmark's training split is there.

    soon: fitted on the questions of FEW of its pictures, a random choice that is always the same."""
    from loupe.evals import open_questions

    what, made, left_out, train = questions.benchmark, {}, [], None
    for name in FOR.get(what.metric, ()):
        if name in SCENES and not what.scene:
            continue
        if name not in FITTED:
            made[name] = baseline(name)
        elif what.fit:
            try:
                boxes = replace(what, form="", metric="referring") if what.form == "mask" else what  # without outlines
                train = train or open_questions(boxes, roots, split=what.fit, shelf=shelf, most=FITTED_ON,
                                                pictures=FEW if soon else None).samples
                made[name] = baseline(name, train)
            except LoupeError as error:
                left_out.append(f"{name} is left out: {error}")
    return made, left_out
