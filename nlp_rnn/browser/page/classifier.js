// The label of a text, or any number of labels.

import {softmax} from "./decoding.js";
import {argmax} from "./linear_chain.js";
import {integers, rows} from "./network.js";
import {UNKNOWN} from "./vocabulary.js";

export class Classifier {
  constructor(model, networks, tokenizer, vocabulary) {
    Object.assign(this, {model, tokenizer, vocabulary, network: networks.model});
  }

  async predict(text) {
    const {labels, temperature, thresholds} = this.model, ids = this.ids(text);
    const {logits} = await this.network.run(
      {ids: integers(ids, [1, ids.length]), lengths: integers([ids.length], [1])});
    const scores = rows(logits)[0];
    const values = thresholds
      ? scores.map(score => 1 / (1 + Math.exp(-score / temperature)))
      : tempered(softmax(scores), temperature);
    const probabilities = Object.fromEntries(labels.map((label, i) => [label, values[i]]));
    if (thresholds)
      return {labels: labels.filter((_, i) => values[i] >= thresholds[i]), probabilities};
    const best = argmax(values);
    return {label: labels[best], probability: values[best], probabilities};
  }

  ids(text) {
    const ids = this.vocabulary.encode(this.tokenizer.tokens(text));
    return shortened(ids.length ? ids : [UNKNOWN], this.model);
  }
}

// At most `longest` items: the first, the last, or half of each.
function shortened(ids, {max_length: longest, long_texts: part}) {
  if (longest === null || ids.length <= longest) return ids;
  if (part === "head") return ids.slice(0, longest);
  if (part === "tail") return ids.slice(-longest);
  const last = Math.floor(longest / 2);
  return [...ids.slice(0, longest - last), ...ids.slice(ids.length - last)];
}

// Probabilities at a temperature.
export function tempered(probabilities, temperature) {
  if (temperature === 1) return Array.from(probabilities);
  return Array.from(softmax(probabilities.map(p => Math.log(Math.max(p, 1e-300)) / temperature)));
}
