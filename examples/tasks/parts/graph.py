"""Graphs of nodes, and the convolution of Kipf and Welling (2017, arXiv 1609.02907) on them."""

import keras
import numpy as np
from keras import layers


@keras.saving.register_keras_serializable("tasks")
class GraphConvolution(layers.Layer):
    """A linear map of what each node is, averaged over its neighbors and itself.

    Called with `x`, `(nodes, features)`, and `adjacency`, `(nodes, nodes)`: the batch are all nodes.
    """

    def __init__(self, width: int, **options):
        super().__init__(**options)
        self.width = width
        self.linear = layers.Dense(width, use_bias=False)

    def build(self, x_shape, adjacency_shape):
        self.linear.build(x_shape)
        self.bias = self.add_weight(shape=(self.width,), initializer="zeros", name="bias")

    def call(self, x, adjacency):
        return keras.ops.matmul(adjacency, self.linear(x)) + self.bias

    def compute_output_shape(self, x_shape, adjacency_shape):
        return (*x_shape[:-1], self.width)

    def get_config(self):
        return {**super().get_config(), "width": self.width}


def graph_network(features: int, nodes: int, width: int, classes: int, dropout: float = 0.5):
    """Two graph convolutions. Its inputs are `x` and `adjacency`, of all nodes."""
    x = inputs = keras.Input((features,), name="x")
    adjacency = keras.Input((nodes,), name="adjacency")
    x = layers.ReLU()(GraphConvolution(width)(layers.Dropout(dropout)(x), adjacency))
    outputs = GraphConvolution(classes, name="logits")(layers.Dropout(dropout)(x), adjacency)
    return keras.Model([inputs, adjacency], outputs)


def normalized(edges: np.ndarray) -> np.ndarray:
    """The symmetric normalization of `(nodes, nodes)` zeros and ones, each node joined to itself."""
    edges = np.maximum(edges, edges.T).astype("float32")
    np.fill_diagonal(edges, 1)
    root = 1 / np.sqrt(edges.sum(1))
    return root[:, None] * edges * root


def nearest(x: np.ndarray, neighbors: int) -> np.ndarray:
    """Edges from each node to its nearest others, by the angle between them."""
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-9)
    near = x @ x.T
    np.fill_diagonal(near, -np.inf)
    edges = np.zeros(near.shape, "float32")
    np.put_along_axis(edges, np.argpartition(-near, neighbors, 1)[:, :neighbors], 1, 1)
    return edges


def some_of_each(y: np.ndarray, of: np.ndarray, each: int, random: np.random.Generator) -> np.ndarray:
    """The same number of nodes of each class, out of some nodes."""
    of = random.permutation(of)
    return np.concatenate([of[y[of] == label][:each] for label in np.unique(y)])


def generated(random: np.random.Generator) -> tuple:
    """A graph of 240 nodes in six classes instead of a real one: `x, y, edges`."""
    y = np.repeat(np.arange(6), 40)
    x = random.random((240, 60)) < np.where(np.arange(60) // 10 == y[:, None], 0.2, 0.05)
    edges = random.random((240, 240)) < np.where(y[:, None] == y, 0.05, 0.002)
    return x.astype("float32"), y, edges.astype("float32")
