"""Mixtures of sources and tasks, written corpora, leakage between training and evaluation. No torch."""
