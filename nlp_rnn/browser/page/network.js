// Networks as ONNX graphs, run by ONNX Runtime Web in WebAssembly, with one thread.

const RUNTIME = "runtime/";
const SCRIPT = "ort.wasm.bundle.min.js", PROGRAM = "ort-wasm-simd-threaded.wasm";
const NO_STATES = ["ids", "lengths", "characters", "target_ids", "memory", "copied"];

let ort;

export async function loadRuntime() {
  const folder = new URL(RUNTIME, document.baseURI);
  try {
    ort = await import(new URL(SCRIPT, folder));
    const answer = await fetch(new URL(PROGRAM, folder));
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    ort.env.wasm.wasmBinary = await answer.arrayBuffer();
  } catch (error) {
    throw new Error(`The folder ${RUNTIME} lacks ONNX Runtime Web: this page needs the files `
      + `${SCRIPT} and ${PROGRAM}. README.md says where to get them (${error.message}).`);
  }
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
}

export class Network {
  constructor(session) {
    this.session = session;
    this.states = session.inputNames.filter(name => !NO_STATES.includes(name));
    this.outputs = session.outputNames;
  }

  static async load(file) {
    const answer = await fetch(file);
    if (!answer.ok) throw new Error(`${file} cannot be read (status ${answer.status}).`);
    const graph = new Uint8Array(await answer.arrayBuffer());
    return new Network(await ort.InferenceSession.create(graph));
  }

  reads(name) {
    return this.session.inputNames.includes(name);
  }

  // The outputs by their names.
  run(inputs) {
    return this.session.run(inputs);
  }
}

export function integers(values, shape) {
  return new ort.Tensor("int32", Int32Array.from(values), shape);
}

export function numbers(values, shape) {
  return new ort.Tensor("float32", Float32Array.from(values), shape);
}

// The given rows of a tensor, which may repeat.
export function select(tensor, rows) {
  const [all, ...shape] = tensor.dims, width = tensor.data.length / all;
  const data = new tensor.data.constructor(rows.length * width);
  rows.forEach((row, i) =>
    data.set(tensor.data.subarray(row * width, (row + 1) * width), i * width));
  return new ort.Tensor(tensor.type, data, [rows.length, ...shape]);
}

// The values of a tensor along its last axis, an array for each place before it.
export function rows(tensor) {
  const width = tensor.dims.at(-1), {data} = tensor;
  return Array.from({length: data.length / width}, (_, i) =>
    Array.from(data.subarray(i * width, (i + 1) * width)));
}
