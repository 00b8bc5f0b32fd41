"""A functional or sequential model as a graph: operations, the tensors between them, nested and shared calls.

This is the only reader of Keras's own graph. A `Graph` is a picture: reading, opening or cutting it changes
nothing. `rebuild` turns it into a new model, changed where you say so, with the names and weights of
everything that stays.
"""

from keras_kd.graphs.changes import Bypass as Bypass
from keras_kd.graphs.composites import Opened as Opened
from keras_kd.graphs.composites import open_layers as open_layers
from keras_kd.graphs.copies import NotCopied as NotCopied
from keras_kd.graphs.copies import config_of as config_of
from keras_kd.graphs.copies import copy_state as copy_state
from keras_kd.graphs.copies import has_activation_weights as has_activation_weights
from keras_kd.graphs.graph import Call as Call
from keras_kd.graphs.graph import Graph as Graph
from keras_kd.graphs.graph import Slot as Slot
from keras_kd.graphs.graph import articulation_points as articulation_points
from keras_kd.graphs.graph import slots_in as slots_in
from keras_kd.graphs.nesting import opened as opened
from keras_kd.graphs.reading import graph_of as graph_of
from keras_kd.graphs.reading import is_graph as is_graph
from keras_kd.graphs.rebuilding import rebuild as rebuild
from keras_kd.graphs.shared_copies import shared_copy as shared_copy
