"""Fine-tuning by transformers, TRL and peft, in a process of its own; and the folder of a trained model."""
