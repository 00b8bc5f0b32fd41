"""What a text is about: a sentence transformer, fine-tuned, teaches one with half its layers and tokens.

Run: python examples/tasks/text.py [--short] [--seeds N] [--out FOLDER]

As in DistilBERT (Sanh et al. 2019, arXiv 1910.01108) the student starts as every other layer of its teacher,
here all-MiniLM-L6-v2. It learns from soft targets, from hidden states (cosine), and from how queries, keys
and values of the last layer relate (MiniLM v2, arXiv 2012.15828). It keeps the tokens that occur in training
texts: a word of others is spelled with shorter ones. The student alone starts as the same layers and tokens.
"""

from functools import partial

import keras
import numpy as np
from keras import ops
from parts.documents import documents, stand_in, vocabulary
from parts.minilm import PARTS, SPECIAL, WordPiece, minilm, network
from parts.rows import Row, Trial, main

import keras_kd as kd

LENGTH = 64
TEST = 1000
RATE, ALONE_RATE, DISTILLED_RATE = 3e-4, 3e-4, 3e-4
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def classifier(encoder, classes):
    return keras.Model(encoder.input, keras.layers.Dense(classes, name="topic")(encoder.output))


def fit(model, ids, labels, rate, seed):
    """Train once on every text, at a rate that falls to zero."""
    keras.utils.set_random_seed(seed)  # of the order
    rates = keras.optimizers.schedules.PolynomialDecay(rate, -(-len(ids) // 16))
    model.compile(keras.optimizers.Adam(rates), CROSS_ENTROPY)
    model.fit(ids, labels, batch_size=16, verbose=0)
    return model


def tuned(encoder, ids, labels, rate):
    """The encoder as a classifier; its word vectors stay as they are."""
    keras.utils.set_random_seed(0)
    encoder.get_layer("words").trainable = False
    return fit(classifier(encoder, int(labels.max()) + 1), ids, labels, rate, seed=0)


def layers_of(teacher):
    """Every other layer, the last one included."""
    return range(1, sum(layer.name.startswith("inner") for layer in teacher.layers), 2)


def shorten(teacher, kept, sizes):
    """Every other layer of the teacher, with the word vectors of the kept tokens."""
    chosen = layers_of(teacher)
    student = network(len(kept), teacher.input.shape[1], len(chosen), **sizes)
    student = classifier(student, teacher.output.shape[1])
    pairs = [(name, name) for name in ("positions", "norm", "topic")]
    pairs += [(f"{part}{new}", f"{part}{old}") for new, old in enumerate(chosen) for part in PARTS]
    for new, old in pairs:
        student.get_layer(new).set_weights(teacher.get_layer(old).get_weights())
    student.get_layer("words").set_weights([teacher.get_layer("words").get_weights()[0][kept]])
    student.get_layer("words").trainable = False
    return student


def distill(teacher, kept, sizes, ids, labels, rate, seed):
    """A student of the teacher's answers, hidden states after each kept layer, and relations in the last."""
    pairs = list(enumerate(layers_of(teacher)))
    hidden = [
        kd.Objective("cosine_hidden", student=f"hidden{new}", teacher=f"hidden{old}", mask="input")
        for new, old in pairs
    ]
    last = [tuple(f"attention{i}/{signal}" for signal in ("query", "key", "value")) for i in pairs[-1]]
    relations = kd.Objective("self_attention_relations", student=last[0], teacher=last[1], mask="input")
    objectives = [kd.losses.SoftTargets(2.0), *hidden, relations]
    student = shorten(teacher, kept, sizes)
    distiller = kd.Distiller(student, teacher, objectives, teacher_preprocess=lambda ids: ops.take(kept, ids))
    fit(distiller, ids, labels, rate, seed)
    return student


def accuracy(model, ids, labels):
    parts = np.array_split(ids, -(-len(ids) // 50))
    return np.mean(np.concatenate([np.argmax(model(part), -1) for part in parts]) == labels)


def trial(seed, place, name, train):
    length, faster = (32, 10) if place.short else (LENGTH, 1)  # random weights need larger steps
    if place.short:
        (texts, labels), (test_texts, test_labels), every = stand_in()
        pieces, sizes = WordPiece(vocabulary(every, 500)), {"width": 32, "heads": 2, "inner": 64}
        encoder = network(len(pieces.tokens), length, depth=2, **sizes)
    else:
        (texts, labels), (test_texts, test_labels), every = documents(name, train, TEST)
        (encoder, pieces), sizes = minilm(length), {"width": 384, "heads": 12, "inner": 1536}
    teacher = place.model("teacher", lambda: tuned(encoder, pieces(texts, length), labels, RATE * faster))

    kept = np.union1d(pieces(every, length), [pieces.ids[token] for token in SPECIAL])
    spelling = WordPiece([pieces.tokens[i] for i in kept])
    ids, test_ids = spelling(texts, length), spelling(test_texts, length)
    alone = place.model(
        f"alone{seed}", lambda: fit(shorten(teacher, kept, sizes), ids, labels, ALONE_RATE * faster, seed)
    )
    student = place.model(
        f"student{seed}", lambda: distill(teacher, kept, sizes, ids, labels, DISTILLED_RATE * faster, seed)
    )
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
        inside = [
            model.count_params() - model.get_layer("words").count_params() for model in (teacher, student)
        ]
        return (
            f"file {size:.2f} of the teacher's size and {times[0] / times[1]:.2f} times as fast, "
            f"without tokens {inside[0]:,} -> {inside[1]:,} parameters"
        )

    data = "pieces of Python's library" if place.short else None
    return Trial(scores, student, teacher.count_params(), (test_ids, test_labels), ids[:200], data, facts)


R8 = partial(trial, name="reuters-r8", train=1000)
GROUPS = partial(trial, name="20newsgroups", train=1500)
ROWS = [
    Row("text R8", "Reuters R8, 1,000 texts", "accuracy, %", R8, 1, "dynamic"),
    Row("text 20", "20 Newsgroups, 1,500 texts", "accuracy, %", GROUPS, 1, "dynamic", in_short=False),
]

if __name__ == "__main__":
    main(ROWS, __doc__)
