"""Models of transformers made without random weights, where every weight comes from a file afterwards."""

from __future__ import annotations

from contextlib import contextmanager


@contextmanager
def unfilled():
    """Parameters of models made inside hold whatever the memory held; buffers (angles, positions) and tied weights are
    made as ever, as `from_pretrained` makes them. Other threads make no modules meanwhile."""
    from transformers import PreTrainedModel
    from transformers.initialization import no_init_weights

    real = PreTrainedModel.init_weights

    def buffers_alone(model) -> None:
        for parameter in model.parameters():
            parameter._is_hf_initialized = True
        real(model)

    with no_init_weights():
        PreTrainedModel.init_weights = buffers_alone
        yield
