"""ONNX graphs with 8-bit weights. This module needs the library ``onnx``, but not Keras."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

READY_TO_QUANTIZE = {"onnx.quant.pre_process": "onnxruntime.quant"}
"""Tells ONNX Runtime, which would otherwise warn, that a graph's shapes are inferred."""


def quantized(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with int8 weights and integer products: smaller and faster, but not identical.

    Activations are scaled by their largest value in a batch, so a prediction depends a little on
    the other rows (measured in ``docs/performance.md``). Weights take 7 bits, because sums of 8
    overflow on processors without VNNI.
    """
    model = onnx.shape_inference.infer_shapes(model)
    onnx.helper.set_model_props(model, READY_TO_QUANTIZE)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        quantize_dynamic(
            model, file, per_channel=True, reduce_range=True, weight_type=QuantType.QInt8
        )
        return onnx.load(file)
