"""What a text is about: a sentence transformer, fine-tuned, teaches one with half its layers and tokens.

Run: python examples/tasks/text.py [--short] [--seeds N] [--out FOLDER]

As in DistilBERT (Sanh et al. 2019, arXiv 1910.01108) the student starts as every other layer of its teacher,
here all-MiniLM-L6-v2. It learns from soft targets, from hidden states (cosine), and from how queries, keys
and values of the last layer relate (MiniLM v2, arXiv 2012.15828). It keeps the tokens that occur in training
texts: a word of others is spelled with shorter ones. The student alone starts as the same layers and tokens.
"""

import keras
import numpy as np
from keras import ops
from parts.documents import documents, stand_in, vocabulary
from parts.minilm import PARTS, SPECIAL, WordPiece, minilm, network
from parts.rows import Row, Trial, main

import keras_kd as kd

LENGTH = 64
TRAIN, TEST = 1500, 1500
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def classifier(encoder, classes):
    return keras.Model(encoder.input, keras.layers.Dense(classes, name="topic")(encoder.output))


def fit(model, ids, labels, rate, seed):
    """One pass, at a rate that falls to zero; word vectors stay as they are."""
    keras.utils.set_random_seed(seed)  # of the order
    rates = keras.optimizers.schedules.PolynomialDecay(rate, -(-len(ids) // 16))
    model.compile(keras.optimizers.Adam(rates), CROSS_ENTROPY)
    model.fit(ids, labels, batch_size=16, verbose=0)
    return model


def shorten(teacher, kept, width, heads, inner):
    """Every other layer of the teacher, the last one included, with the word vectors of the kept tokens."""
    depth = sum(layer.name.startswith("inner") for layer in teacher.layers)
    chosen = range(1, depth, 2)
    student = network(len(kept), teacher.input.shape[1], len(chosen), width, heads, inner)
    student = classifier(student, teacher.output.shape[1])
    student.get_layer("words").set_weights([teacher.get_layer("words").get_weights()[0][kept]])
    pairs = [(name, name) for name in ("positions", "norm", "topic")]
    pairs += [(f"{part}{new}", f"{part}{old}") for new, old in enumerate(chosen) for part in PARTS]
    for new, old in pairs:
        student.get_layer(new).set_weights(teacher.get_layer(old).get_weights())
    student.get_layer("words").trainable = False
    return student, [(f"hidden{new}", f"hidden{old}") for new, old in enumerate(chosen)]


def objectives(hidden):
    """Soft targets; the hidden states after each kept layer; the relations in the last one."""
    last = [name.replace("hidden", "attention") for name in hidden[-1]]
    relations = [tuple(f"{name}/{signal}" for signal in ("query", "key", "value")) for name in last]
    return [
        kd.Objective(kd.losses.SoftTargets(2.0), weight=1.0),
        *(
            kd.Objective("cosine_hidden", student=new, teacher=old, mask="input", weight=1.0)
            for new, old in hidden
        ),
        kd.Objective(
            kd.losses.SelfAttentionRelations(), student=relations[0], teacher=relations[1], mask="input"
        ),
    ]


def accuracy(model, ids, labels):
    return np.mean(np.argmax(model.predict(ids, batch_size=32, verbose=0), -1) == labels)


def trial(seed, place, name):
    length = 32 if place.short else LENGTH
    keras.utils.set_random_seed(0)
    if place.short:
        (texts, labels), (test_texts, test_labels), every = stand_in()
        pieces = WordPiece(vocabulary(every, 500))
        sizes = {"width": 32, "heads": 2, "inner": 64}
        encoder = network(len(pieces.tokens), length, depth=2, **sizes)
    else:
        (texts, labels), (test_texts, test_labels), every = documents(name, TRAIN, TEST)
        encoder, pieces = minilm(length)
        sizes = {"width": 384, "heads": 12, "inner": 1536}
    encoder.get_layer("words").trainable = place.short
    ids = pieces(texts, length)
    teacher = place.model(
        "teacher", lambda: fit(classifier(encoder, int(labels.max()) + 1), ids, labels, 3e-4, seed=0)
    )

    kept = np.union1d(pieces(every, length), [pieces.ids[token] for token in SPECIAL])
    spelling = WordPiece([pieces.tokens[i] for i in kept])
    ids, test_ids = spelling(texts, length), spelling(test_texts, length)
    alone, _ = shorten(teacher, kept, **sizes)
    fit(alone, ids, labels, 2e-4, seed)
    student, hidden = shorten(teacher, kept, **sizes)
    distiller = kd.Distiller(
        student, teacher, objectives(hidden), teacher_preprocess=lambda ids: ops.take(kept, ids)
    )
    fit(distiller, ids, labels, 3e-4, seed)
    scores = {"teacher": accuracy(teacher, pieces(test_texts, length), test_labels)}
    scores["alone"] = accuracy(alone, test_ids, test_labels)
    scores["distilled"] = accuracy(student, test_ids, test_labels)
    scores["kept"] = scores["distilled"] / scores["teacher"]

    def facts(file):
        """The student's file beside the teacher's, and parameters without those of tokens."""
        path = place.folder / "teacher.tflite"
        other = kd.export(teacher, path, quantization="dynamic", overwrite=path.exists())
        times = [kd.benchmark(each).median_ms for each in (other.path, file)]
        size = file.stat().st_size / other.bytes
        inside = [model.count_params() - model.get_layer("words").count_params() for model in (teacher, student)]
        return (
            f"file {size:.2f} of the teacher's size and {times[0] / times[1]:.2f} times as fast, "
            f"without tokens {inside[0]:,} -> {inside[1]:,} parameters"
        )

    data = "pieces of Python's library" if place.short else None
    return Trial(scores, student, teacher.count_params(), (test_ids, test_labels), ids[:200], data, facts)


ROWS = [
    Row(f"text {short}", f"{title}, 64 tokens", "accuracy, %", lambda seed, place, name=name: trial(seed, place, name), 1, "dynamic")
    for short, title, name in (
        ("R8", "Reuters R8, 1,500 texts", "reuters-r8"),
        ("20", "20 Newsgroups, 1,500 texts", "20newsgroups"),
    )
]

if __name__ == "__main__":
    main(ROWS, __doc__)
