"""Programs that run a `.tflite` file, with its names, shapes, types and ranges: to copy and to start from."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from string import Template

import numpy as np

from keras_kd.deployment.edges import read_edges
from keras_kd.deployment.litemodel import LiteModel
from keras_kd.deployment.opening.entry_point import read_entry_point
from keras_kd.deployment.tensor_details import TensorDetails
from keras_kd.messages import printable

Values = Mapping[str, str]  # name of an input -> which values it takes

# A free size needs a number; most models take an image or a sequence that long.
_SOME_SIZE = 32
# The types that TensorBuffer of LiteRT for Kotlin reads and writes -> its words for them.
_KOTLIN = {"float32": "Float", "int8": "Int8", "int32": "Int", "int64": "Long", "bool": "Boolean"}
_KOTLIN_ARRAYS = {"Float": "Float", "Int8": "Byte", "Int": "Int", "Long": "Long", "Boolean": "Boolean"}
_PACKAGE = "com.google.ai.edge.litert:litert:2.3.0"


def make_snippets(path: Path, scale: str = "on the scale of the training data") -> dict[str, str]:
    """Name of a language -> a program that runs a file on one sample.

    The Python program runs in the folder of the file. The Kotlin one, for Android, is left out for files with
    free sizes, and for types that LiteRT's Kotlin cannot pass.

    Args:
        path: A `.tflite` file.
        scale: Which values an input takes whose range the file does not tell.

    Raises:
        ValueError: The file is damaged or cannot be run.
        FileNotFoundError: There is none.
    """
    lite, ranges = LiteModel(path), read_edges(path).ranges
    values = {tensor.name: _values(ranges.get(tensor.name), scale) for tensor in lite.inputs}
    signature = read_entry_point(path).signature
    snippets = {"Python": _python(lite, signature, values)}
    if signature is not None and _fits_kotlin(lite):
        snippets["Kotlin"] = _kotlin(lite, signature, values)
    return snippets


def _values(known: tuple[float, float] | None, scale: str) -> str:
    if known is None:
        return scale
    return f"from {known[0]:.4g} to {known[1]:.4g}, what lies outside is cut off"


def _about(tensor: TensorDetails, values: Values) -> str:
    """The shape of an input and which values it takes."""
    batch, *sizes = _sizes(tensor) or (1,)
    samples = f"{batch} samples, each " if batch > 1 else ""
    shape = samples + (" x ".join(map(str, sizes)) or "one number")
    free = " (any size)" if None in tensor.shape[1:] else ""
    return f"{printable(tensor.name, keep='')}: {shape}{free}, {values[tensor.name]}"


def _sizes(tensor: TensorDetails) -> tuple[int, ...]:
    """The shape for one sample, or as many as the file takes."""
    first = [1 if size is None else size for size in tensor.shape[:1]]
    return (*first, *(_SOME_SIZE if size is None else size for size in tensor.shape[1:]))


def _shift(number: int) -> str:
    return f" {'-' if number < 0 else '+'} {abs(number)}" if number else ""


def _scale(tensor: TensorDetails) -> str:
    return str(np.float32(tensor.scale))  # as many digits as tell it from any other


def _python(lite: LiteModel, signature: str | None, values: Values) -> str:
    imports = ["import numpy as np", "from ai_edge_litert.interpreter import Interpreter"]
    lines = ["# pip install ai-edge-litert numpy", *imports, ""]
    lines += [f"interpreter = Interpreter({lite.path.name!r})", "inputs = {"]
    for tensor in lite.inputs:
        zeros = f"np.zeros({_sizes(tensor)}, {tensor.value_dtype!r})"
        lines += [f"    # {_about(tensor, values)}", f"    {tensor.name!r}: {zeros},  # your sample"]
    lines.append("}")
    for tensor in lite.inputs:
        if tensor.scale:
            limits, name = np.iinfo(tensor.dtype), f"inputs[{tensor.name!r}]"
            steps = f"np.round({name} / {_scale(tensor)}){_shift(tensor.zero_point)}"
            lines.append(f"{name} = np.clip({steps}, {limits.min}, {limits.max}).astype({tensor.dtype!r})")
    lines += ["", *(_by_signature(signature) if signature is not None else _BY_GRAPH)]
    for tensor in lite.outputs:
        if tensor.scale:
            name = f"outputs[{tensor.name!r}]"
            lines.append(
                f"{name} = ({name}.astype('float32'){_shift(-tensor.zero_point)}) * {_scale(tensor)}"
            )
    return "\n".join([*lines, "for name, values in outputs.items():", "    print(name, values)", ""])


def _by_signature(signature: str) -> list[str]:
    return [f"outputs = interpreter.get_signature_runner({signature!r})(**inputs)"]


_BY_GRAPH = [
    "for tensor in interpreter.get_input_details():",
    "    interpreter.resize_tensor_input(tensor['index'], inputs[tensor['name']].shape)",
    "interpreter.allocate_tensors()",
    "for tensor in interpreter.get_input_details():",
    "    interpreter.set_tensor(tensor['index'], inputs[tensor['name']])",
    "interpreter.invoke()",
    "details = interpreter.get_output_details()",
    "outputs = {tensor['name']: interpreter.get_tensor(tensor['index']) for tensor in details}",
]


def _fits_kotlin(lite: LiteModel) -> bool:
    tensors = [*lite.inputs, *lite.outputs]
    fixed = all(size is not None for tensor in tensors for size in tensor.shape)
    known = all(tensor.dtype in _KOTLIN for tensor in tensors)
    return fixed and known and all(tensor.value_dtype == "float32" for tensor in lite.outputs)


def _kotlin(lite: LiteModel, signature: str, values: Values) -> str:
    """A class for an Android app; buffers are made by name, so that their order does not matter."""
    parameters = {t.name: "input" if len(lite.inputs) == 1 else f"input{t.index}" for t in lite.inputs}
    reads = {_quoted(tensor.name): _read(tensor) for tensor in lite.outputs}
    pairs = "".join(f"            {name} to {read},\n" for name, read in reads.items())
    rounds = any(tensor.scale for tensor in lite.inputs)
    return _CLASS.substitute(
        package=_PACKAGE,
        asset=printable(lite.path.name, keep=""),
        imports="\nimport kotlin.math.roundToInt" if rounds else "",
        file=_quoted(lite.path.name),
        signature=_quoted(signature),
        inputs=", ".join(_quoted(name) for name in parameters),
        outputs=", ".join(reads),
        about="\n".join(f"    // {parameters[t.name]} is {_about(t, values)}." for t in lite.inputs),
        parameters=", ".join(f"{parameters[t.name]}: {_array(t.value_dtype)}" for t in lite.inputs),
        returned="Map<String, FloatArray>" if len(reads) > 1 else "FloatArray",
        writes="\n".join(f"        {_write(t, parameters[t.name])}" for t in lite.inputs),
        result=f"mapOf(\n{pairs}        )" if len(reads) > 1 else next(iter(reads.values())),
    )


_CLASS = Template("""\
// build.gradle.kts: implementation("$package")
// $asset goes to src/main/assets.
import android.content.Context
import com.google.ai.edge.litert.Accelerator
import com.google.ai.edge.litert.CompiledModel$imports

class OnDeviceModel(context: Context) : AutoCloseable {
    private val model =
        CompiledModel.create(context.assets, $file, CompiledModel.Options(Accelerator.CPU))
    private val inputs = listOf($inputs)
        .associateWith { model.createInputBuffer(it, $signature) }
    private val outputs = listOf($outputs)
        .associateWith { model.createOutputBuffer(it, $signature) }

$about
    fun run($parameters): $returned {
$writes
        model.run(inputs, outputs, $signature)
        return $result
    }

    override fun close() {
        (inputs.values + outputs.values).forEach { it.close() }
        model.close()
    }
}
""")


def _quoted(text: str) -> str:
    return json.dumps(text).replace("$", "\\$")


def _array(dtype: str) -> str:
    return f"{_KOTLIN_ARRAYS[_KOTLIN[dtype]]}Array"


def _write(tensor: TensorDetails, parameter: str) -> str:
    buffer = f"inputs.getValue({_quoted(tensor.name)})"
    if not tensor.scale:
        return f"{buffer}.write{_KOTLIN[tensor.dtype]}({parameter})"
    step = f"({parameter}[it] / {_scale(tensor)}f).roundToInt(){_shift(tensor.zero_point)}"
    return (
        f"{buffer}.writeInt8(ByteArray({math.prod(_sizes(tensor))}) {{\n"
        f"            ({step}).coerceIn(-128, 127).toByte()\n        }})"
    )


def _read(tensor: TensorDetails) -> str:
    buffer = f"outputs.getValue({_quoted(tensor.name)})"
    if not tensor.scale:
        return f"{buffer}.readFloat()"
    value = f"(it{_shift(-tensor.zero_point)}) * {_scale(tensor)}f"
    return f"{buffer}.readInt8().map {{ {value} }}.toFloatArray()"
