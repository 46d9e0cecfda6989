"""Recurrent cells that Keras lacks; they run in :class:`~nlp_rnn.layers.recurrent.RecurrentLayer`.

Keras's ``GRUCell`` is used unchanged.
"""

from nlp_rnn.layers.cells.cell import Cell
from nlp_rnn.layers.cells.lstm import ForgetGateBias, LSTMCell
from nlp_rnn.layers.cells.phased_lstm import PhasedLSTMCell
from nlp_rnn.layers.cells.simple_rnn import SimpleRNNCell
from nlp_rnn.layers.cells.zoneout import Zoneout

__all__ = ["Cell", "ForgetGateBias", "LSTMCell", "PhasedLSTMCell", "SimpleRNNCell", "Zoneout"]
