"""The embedded engine: a model run in this process by transformers, on the CPU or a CUDA device.

Guarantees: `slots` sequences are decoded at once, and one that ends is yielded and replaced while the
others go on (`lockstep.py`; transformers' own continuous batching was three times slower than its static
batches on a CPU). A model that this cannot serve is refused when it is loaded. Left out: models whose state
is not keys and values of every position (state-space, linear or chunked attention, encoders), and more than
one device.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from factory.errors import OutsideError, UsageError, missing_extra
from factory.generators import parameters, references, tokenizing
from factory.generators.base import Completion, Failure, Message, Request
from factory.generators.lockstep import LoadedModel, Lockstep
from factory.generators.pulling import IDLE_SECONDS, pull
from factory.generators.threads import Load
from factory.recipe import TransformersGenerator

log = logging.getLogger(__name__)

CLOSED: Final = "this engine is closed"

SUPPORTED_LAYERS: Final = frozenset({"full_attention", "sliding_attention"})


class TransformersEngine:
    """A loaded model. `eos_ids` replaces the tokens that end a text; () decodes all to max_tokens."""

    def __init__(self, config: TransformersGenerator, *, eos_ids: Sequence[int] | None = None) -> None:
        """Raises UsageError where a package is missing or the model cannot be served."""
        try:
            import torch
            from transformers.utils import logging as transformers_logging
        except ImportError as error:
            raise missing_extra("transformers with torch", "local") from error
        transformers_logging.disable_progress_bar()
        self.config = config
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.load = Load() if device.type == "cpu" else None
        files = references.resolve(config.model)
        tokenizer = tokenizing.load(files.folder)
        model = _load_model(files, config.dtype).to(device)
        _refuse_unsupported(model, config.model)
        self.loaded: LoadedModel | None = LoadedModel(
            model=model,
            tokenizer=tokenizer,
            device=device,
            parameters=_parameters(config, model),
            context=getattr(model.config.get_text_config(), "max_position_embeddings", None),
            eos_ids=frozenset(_eos_ids(model, tokenizer) if eos_ids is None else eos_ids),
        )
        log.info("%s: %d parameters, %s, %s", config.model, model.num_parameters(), config.dtype, device)

    @property
    def parameters(self) -> float | None:
        return None if self.loaded is None else self.loaded.parameters

    @property
    def reread(self) -> int:
        """Nothing: draws that follow each other share one pass over their prompt."""
        return 0

    def most_prompt_tokens(self, prompt: str | tuple[Message, ...]) -> int:
        """Exactly its tokens; the last prompt is remembered, as its draws follow each other."""
        if self.loaded is None:
            raise RuntimeError(CLOSED)
        return len(self.loaded.encode(prompt))

    def generate(self, requests: Iterable[Request | None]) -> Iterator[Completion | Failure]:
        """Serve all requests, pulling each as a slot falls free.

        Raises OutsideError when the device's memory does not hold `slots` sequences.
        """
        import torch

        if self.loaded is None:
            raise RuntimeError(CLOSED)
        run = Lockstep(self.loaded, self.config.decoding, self.config.slots, self.load)
        source, more = iter(requests), True
        while more or run.rows:
            asked, more = pull(source, run.free_slots) if more else ([], False)
            try:
                yield from run.start(asked)
                yield from run.finished()
                if run.rows:
                    run.step()
                    yield from run.finished()
                elif more and not asked:
                    time.sleep(IDLE_SECONDS)
            except torch.OutOfMemoryError as error:
                raise OutsideError(
                    f"{self.config.model}: out of memory with {self.config.slots} slots. Everything finished "
                    "before is kept; lower `slots` of the generator (its ids do not change) and run again"
                ) from error

    def close(self) -> None:
        """Free the model's memory; safe to call twice."""
        import torch

        self.loaded = None
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


# --- loading -----------------------------------------------------------------------------------------


def _load_model(files: references.ModelFiles, dtype: str) -> Any:
    import torch
    from transformers import AutoModelForCausalLM

    try:
        model = AutoModelForCausalLM.from_pretrained(
            files.folder, dtype=getattr(torch, dtype), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            f"{files.reference}: transformers cannot load it as a language model ({error}). Name a model of "
            "an architecture that this version of transformers knows"
        ) from error
    return model.eval()


def _parameters(config: TransformersGenerator, model: Any) -> float | None:
    """As `parameters.active` says; of dense weights that are no safetensors, as the loaded model says."""
    known = parameters.active(config)
    settings = str(model.config.to_dict())
    if known is None and "expert" not in settings and getattr(model, "hf_quantizer", None) is None:
        return float(model.num_parameters())
    return known


def _refuse_unsupported(model: Any, reference: str) -> None:
    """Raise UsageError for a model whose state is not plain keys and values of every position."""
    import torch
    from transformers import DynamicCache

    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ()) - SUPPORTED_LAYERS
    if not kinds and not config.is_encoder_decoder and not getattr(model, "_is_stateful", False):
        cache = DynamicCache()
        token = torch.zeros((1, 1), dtype=torch.long, device=model.device)
        with torch.inference_mode():
            model(input_ids=token, past_key_values=cache, use_cache=True)
        shapes = [getattr(getattr(layer, "keys", None), "ndim", 0) for layer in cache.layers]
        if shapes == [4] * config.num_hidden_layers:
            return
    reason = ", ".join(sorted(kinds)) or "its cache"
    raise UsageError(
        f"{reference}: the architecture {type(model).__name__} ({reason}) is not supported by the engine "
        "transformers, which serves decoders whose layers are all of "
        f"{', '.join(sorted(SUPPORTED_LAYERS))}. Use the engine vllm or openai for it"
    )


def _eos_ids(model: Any, tokenizer: Any) -> set[int]:
    """The tokens that end a text, of the generation settings and of the tokenizer."""
    written = model.generation_config.eos_token_id
    ids = set(written) if isinstance(written, list) else {written}
    return {one for one in ids | {tokenizer.eos_token_id} if one is not None}
