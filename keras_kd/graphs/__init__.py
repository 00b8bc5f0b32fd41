"""A functional or sequential model as a graph: operations, the tensors between them, nested and shared calls.

This is the one reader of Keras's own graph. A `Graph` is a picture: to look at it, to open or to cut it
changes nothing. `rebuild` makes a model of it, changed where you say so: a graph in, a new model out, with
the names and the weights of all that stays.
"""

from keras_kd.graphs.changes import Bypass as Bypass
from keras_kd.graphs.copies import NotCopied as NotCopied
from keras_kd.graphs.graph import Call as Call
from keras_kd.graphs.graph import Graph as Graph
from keras_kd.graphs.graph import Slot as Slot
from keras_kd.graphs.graph import articulation_points as articulation_points
from keras_kd.graphs.graph import slots_in as slots_in
from keras_kd.graphs.nesting import opened as opened
from keras_kd.graphs.reading import graph_of as graph_of
from keras_kd.graphs.reading import is_graph as is_graph
from keras_kd.graphs.rebuilding import rebuild as rebuild
