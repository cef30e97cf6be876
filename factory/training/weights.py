"""Models of a training from and to folders.

Guarantees: a folder that is written holds the weights and, unchanged, what else the base has: config,
tokenizer, chat template, generation settings; so it is loaded and sampled as the base is. Adapters are merged
in, and stand by themselves in `adapter/`. Left out: quantised bases, which are refused.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Final

from factory.errors import UsageError
from factory.recipe import Lora
from factory.training.precision import Place

COMPANIONS: Final = (
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "chat_template*",
    "generation_config.json",
)
"""Files of a base that go with its weights and are no weights."""


def load(folder: Path, place: Place) -> Any:
    """The model in `folder`, in the precision of `place`. Raises UsageError where it cannot be trained."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{folder}: no config.json that can be read ({error}), so no model to train"
        ) from error
    if "quantization_config" in config:
        raise UsageError(
            f"{folder}: the model is quantised, and cannot be trained; name the one it was made of"
        )
    try:
        model = AutoModelForCausalLM.from_pretrained(
            folder, dtype=getattr(torch, place.weights), local_files_only=True, trust_remote_code=False
        )
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(f"{folder}: transformers cannot load it as a language model ({error})") from error
    # Its own settings are a companion, copied as they are. Transformers refuses to save some that it loads,
    # such as a temperature beside do_sample: false, and every checkpoint would try.
    model.generation_config = GenerationConfig.from_model_config(model.config)
    return model


def tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)


def adapter(settings: Lora | None) -> Any:
    """peft's description of the adapters, or None where all weights are trained."""
    if settings is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear" if settings.targets is None else list(settings.targets),
        bias="none",
        task_type="CAUSAL_LM",
    )


def save(model: Any, base: Path, out: Path, place: Place) -> None:
    """Write the model to `out`, whole or not at all; a folder that is there is replaced.

    The numbers are float32 where it was trained in float32, else those of the base.
    """
    import torch

    draft = out.with_name(f".draft-{out.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    if hasattr(model, "merge_and_unload"):
        _save_adapter(model, draft / "adapter")
        model = model.merge_and_unload()
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    written = config.pop("torch_dtype", None) or config.get("dtype") or "float32"
    name = "float32" if place.precision == "float32" else written
    model.to(getattr(torch, name)).save_pretrained(draft)
    config["dtype"] = name
    (draft / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    for pattern in COMPANIONS:
        for path in base.glob(pattern):
            if path.is_file():
                shutil.copyfile(path, draft / path.name)
    _to_disk(draft)
    if out.exists():
        shutil.rmtree(out)
    os.replace(draft, out)


def _save_adapter(model: Any, folder: Path) -> None:
    """The adapter without the card of peft and the path of the base, which is true on this machine only."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | {"base_model_name_or_path": None}
    path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _to_disk(folder: Path) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
