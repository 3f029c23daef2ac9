"""Finds images of a folder by a text; the second run embeds only what is new.   search_folder.py MODEL FOLDER INDEX TEXT"""

import sys
from pathlib import Path

import clipcore


def main(folder: str, images: str, file: str, text: str) -> None:
    model = clipcore.Model(folder)
    made_with = clipcore.fingerprint(folder)
    endings = {f".{ending}" for ending in clipcore.image_endings()}
    with clipcore.Index(file, fingerprint=made_with, embedding_width=model.info.embedding_width) as index:
        files = [path for path in sorted(Path(images).rglob("*")) if path.suffix.lower() in endings]
        new = [path for path in files if path not in index]
        if new:
            embeddings, errors = model.encode_files(new)
            good = [i for i in range(len(new)) if i not in errors]
            index.put([new[i] for i in good], [embeddings[i] for i in good])
            for i, error in errors.items():
                print(f"{new[i]}: {error}", file=sys.stderr)
        print(f"{len(new)} new, {len(index)} in all")
        for match in index.search(model.encode_texts([text]), count=3):
            print(f"{match.score:.3f}  {match.name}")


main(*sys.argv[1:])
