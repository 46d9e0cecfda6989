// The page: it loads the model, and shows what it predicts for the text that is typed.

import {Classifier} from "./classifier.js";
import {EncoderDecoder} from "./encoder_decoder.js";
import {LanguageModel} from "./language_model.js";
import {Network, loadRuntime} from "./network.js";
import {selfTest} from "./selftest.js";
import {classification, element, probability, revealed, tagging, translation} from "./show.js";
import {SubwordTokenizer} from "./subwords.js";
import {Tagger} from "./tagger.js";
import {Tokenizer} from "./tokenizer.js";
import {UNKNOWN, Vocabulary} from "./vocabulary.js";

const part = id => document.getElementById(id);
const checkbox = (id, text) =>
  element("label", {}, element("input", {id, type: "checkbox"}), text);
const number = (id, text, value, min, step = 1) => element("label", {}, text,
  element("input", {id, type: "number", required: true, value, min, step}));
const value = id => part(id).valueAsNumber;

const TASKS = {
  classification: {
    Predictor: Classifier,
    options: () => [],
    show: async (predictor, text) => classification(await predictor.predict(text)),
  },
  tagging: {
    Predictor: Tagger,
    options: () => [],
    show: async (predictor, text) =>
      tagging(await predictor.predict(text), text, predictor.model.labels),
  },
  language_modelling: {
    Predictor: LanguageModel,
    verb: "Continue",
    options: () => [
      number("length", "Tokens", 50, 1),
      number("temperature", "Temperature (0 is greedy)", 1, 0, "any"),
      number("top_k", "Top k (0 is all)", 0, 0),
      checkbox("stop_at_end", "Stop at the end of a line"),
    ],
    show: generated,
  },
  sequence_to_sequence: {
    Predictor: EncoderDecoder,
    options: ({decoding}) => [
      number("beam", "Beam (1 is greedy)", decoding.beam, 1),
      number("length_penalty", "Length penalty", decoding.length_penalty, 0, "any"),
    ],
    show: async (predictor, text) => translation(await predictor.predict(
      text, {beam: value("beam"), length_penalty: value("length_penalty")})),
  },
};

// Shows the text as it grows, until it is long enough or someone presses Stop.
async function generated(predictor, prompt) {
  const options = {
    length: value("length"), temperature: value("temperature"), top_k: value("top_k"),
    stop_at_end: part("stop_at_end").checked,
  };
  const added = element("b"), shown = element("div", {className: "text"}, prompt, added);
  part("result").replaceChildren(shown);
  let stopped = false;
  part("stop").onclick = () => { stopped = true; };
  part("stop").hidden = false;
  try {
    for await (const piece of predictor.generate(prompt, options)) {
      added.append(revealed(piece));
      await new Promise(drawn => setTimeout(drawn));
      if (stopped) break;
    }
  } finally {
    part("stop").hidden = true;
  }
  return prompt ? [shown, probability(await predictor.predict(prompt))] : [shown];
}

// A line that names the words of a text that the model reads as <unk>.
function unknown({tokenizer, vocabulary}, text) {
  const words = new Set(text.split("\n").flatMap(line => tokenizer.tokens(line)));
  const found = [...words].filter(word => vocabulary.encode([word])[0] === UNKNOWN);
  const names = `Not in the vocabulary, so read as <unk>: ${found.join(", ")}`;
  return found.length ? [element("p", {className: "quiet"}, names)] : [];
}

async function loaded(model) {
  await loadRuntime();
  const networks = {model: await Network.load("model.onnx")};
  if (model.target) networks.decoder = await Network.load("decoder.onnx");
  const {Predictor} = TASKS[model.task];
  const Rules = model.tokenizer.unit === "subword" ? SubwordTokenizer : Tokenizer;
  const tokenizer = new Rules(model.tokenizer), vocabulary = new Vocabulary(model.vocabulary);
  return new Predictor(model, networks, tokenizer, vocabulary);
}

function tell(message) {
  part("status").textContent = revealed(message);
}

// What `work` returns becomes the result; meanwhile the button is off.
async function busy(work) {
  part("go").disabled = true;
  try {
    part("result").replaceChildren(...await work());
    tell("");
  } catch (error) {
    tell(`This did not work: ${error.message}`);
  }
  part("go").disabled = false;
}

async function start() {
  const answer = await fetch("model.json");
  if (!answer.ok) throw new Error(`model.json cannot be read (status ${answer.status}).`);
  const model = await answer.json(), {options, show, verb} = TASKS[model.task];
  document.title = part("name").textContent = revealed(model.name);
  part("note").textContent = `Predicts ${model.gives}, in this browser: no text leaves it.`;
  const predictor = await loaded(model);
  part("options").append(...options(model));
  part("go").textContent = verb ?? "Predict";
  part("form").onsubmit = event => {
    event.preventDefault();
    const text = part("text").value;
    busy(async () => [...await show(predictor, text), ...unknown(predictor, text)]);
  };
  part("text").onkeydown = event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) part("form").requestSubmit();
  };
  part("form").hidden = false;
  tell("");
  if (new URLSearchParams(location.search).has("selftest"))
    await busy(() => selfTest(predictor));
}

start().catch(error => {
  document.documentElement.dataset.failed = "";
  tell(error.message);
});
