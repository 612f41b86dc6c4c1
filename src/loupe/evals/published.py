"""The questions and captions of the papers' tables beyond regions: Pink's Tables 1, 2 and 4, Lyrics' Table 2,
PAE-LaMM's Tables 2 and 8."""

from __future__ import annotations

from loupe.evals.spec import Benchmark

SHORT = {"style": "short"}  # a request for a short answer stands behind every question


def _voted(name: str, reader: str, folder: str, split: str, count: int, truths: str = "punctuation", **options
           ) -> Benchmark:
    return Benchmark(name, reader, folder, split, options, task="question", metric="vqa", count=count, answer=24,
                     task_options=SHORT, scoring={"truths": truths}, fit="train2014" if reader == "vqa" else "train")


def _lettered(name: str, reader: str, split: str, count: int, **options) -> Benchmark:
    return Benchmark(name, reader, reader, split, options, task="multiple-choice", metric="choice", count=count,
                     answer=16, balance="topic" if reader == "scienceqa" else "")


def _ranked(name: str, split: str) -> Benchmark:
    """As MiniGPT-v2 is measured: the options are not shown, the most probable one is taken."""
    return Benchmark(name, "iconqa", "iconqa", split, task="question", metric="words", count=6316, form="ranked",
                     task_options={**SHORT, "chosen": True})


def _judged(name: str, reader: str, folder: str, split: str, metric: str, count: int, **options) -> Benchmark:
    return Benchmark(name, reader, folder, split, options, task="judgement", metric=metric, count=count, answer=8,
                     fit="train")


def _local(name: str, split: str) -> Benchmark:
    """By points, as annotated. How many there are is not published."""
    return Benchmark(name, "pointqa-local", "pointqa", split, task="region-question", metric="words",
                     task_options={"forms": ["point"]}, answer=16)


def _captioned(name: str, reader: str, folder: str, split: str, count: int, **options) -> Benchmark:
    return Benchmark(name, reader, folder, split, options, task="caption", metric="cider", count=count, answer=48,
                     scoring={"tokens": "treebank"})


PUBLISHED: tuple[Benchmark, ...] = (
    _voted("vqav2-val", "vqa", "vqav2", "val2014", 214354),
    _voted("okvqa-val", "vqa", "okvqa", "val2014", 5046),
    _voted("okvqa-raw-val", "vqa", "okvqa", "val2014", 5046, raw=True),
    _voted("vizwiz-val", "vizwiz", "vizwiz", "val", 4319),
    _voted("textvqa-val", "textvqa", "textvqa", "val", 5000, "whole"),
    _judged("vsr-test", "vsr", "vsr", "test", "true-false", 1222),
    _judged("vsr-random-test", "vsr", "vsr", "test", "true-false", 2195, by="random"),
    _judged("hateful-memes-dev", "hateful-memes", "hateful_memes", "dev", "yes-no", 500),
    _lettered("iconqa-test", "iconqa", "test", 6316),
    _lettered("iconqa-val", "iconqa", "val", 6316),
    _ranked("iconqa-ranked-test", "test"),
    _ranked("iconqa-ranked-val", "val"),
    Benchmark("iconqa-blank-test", "iconqa", "iconqa", "test", {"kind": "fill_in_blank"}, task="question",
              metric="words", count=3638, task_options=SHORT, answer=16),
    _lettered("scienceqa-img-test", "scienceqa", "test", 2017),
    _local("pointqa-local-testdev", "testdev"),
    _local("pointqa-local-test", "testfinal"),
    Benchmark("visual7w-pointing-test", "visual7w", "visual7w", "test", task="which-region", metric="choice",
              count=57265, answer=48),
    Benchmark("ocr-vqa-test", "ocr-vqa", "ocr_vqa", "test", task="question", metric="words", task_options=SHORT,
              answer=48),
    _captioned("coco-captions-test", "karpathy", "coco", "test", 5000, dataset="coco"),
    _captioned("flickr30k-test", "karpathy", "flickr30k", "test", 1000, dataset="flickr30k"),
    _captioned("nocaps-val", "nocaps", "nocaps", "val", 4500),
)
REFERRING = ("refcoco-val", "refcoco-testA", "refcoco-testB", "refcoco+-val", "refcoco+-testA", "refcoco+-testB",
             "refcocog-val", "refcocog-test")
# A test split whose answers only its authors' server knows is stood for by val: VQAv2, VizWiz.
SUITES: dict[str, tuple[str, ...]] = {
    "pink": ("vqav2-val", "iconqa-test", "vsr-test", "okvqa-raw-val", "gqa-testdev", *REFERRING,
             "visual7w-pointing-test", "pointqa-local-testdev", "pointqa-point-test"),
    "lyrics": ("coco-captions-test", "nocaps-val", "flickr30k-test", "vqav2-val", "okvqa-val", "gqa-testdev",
               "scienceqa-img-test", "vizwiz-val", "textvqa-val", "ocr-vqa-test", *REFERRING),
    # IconQA and Hateful Memes by the splits that MiniGPT-v2, which it is built on, is measured on
    "pae": ("gqa-testdev", "vsr-test", "vizwiz-val", "hateful-memes-dev", *REFERRING, "iconqa-ranked-val"),
}
