"""Trains a model for a hundred steps and exports it.   train.py MODEL PAIRS OUTPUT"""

import sys

import clipcore
from clipcore import DatasetOptions, TrainerOptions


def main(folder: str, pairs: str, output: str) -> None:
    model = clipcore.Model(folder, clipcore.Runtime(threads=2), without_weights=True)
    trainer = clipcore.Trainer(model, TrainerOptions(learning_rate=1e-4, weight_decay=0.1, warmup_steps=10))
    augment = clipcore.Pipeline([{"op": "random_horizontal_flip"}], model.runtime)
    options = DatasetOptions(batch_size=8, epochs=0, seed=1, full_batches=True, caption_fields=["en"])
    losses = []
    for batch in clipcore.Dataset([pairs], model, options, image_pipeline=augment):
        metrics = trainer.step(pixels=batch.pixels, tokens=batch.tokens)
        losses.append(metrics.loss)
        if metrics.step == 100:
            break
    trainer.export(output)
    print(f"loss {sum(losses[:10]) / 10:.3f} to {sum(losses[-10:]) / 10:.3f} in {len(losses)} steps")


main(*sys.argv[1:])
