// A tag for each word of a text, and the entities that the tags mark.

import {tempered as temperedProbabilities} from "./classifier.js";
import {softmax} from "./decoding.js";
import {continuing, entitySpans, ofType} from "./entities.js";
import {
  argmax, independent, lattice, marginals, spanLogProbability, tempered, viterbi,
} from "./linear_chain.js";
import {integers, rows} from "./network.js";
import {Vocabulary} from "./vocabulary.js";

const BOUNDARY = 2;  // before and after the characters of a word

export class Tagger {
  constructor(model, networks, tokenizer, vocabulary) {
    Object.assign(this, {model, tokenizer, vocabulary, network: networks.model});
    this.characters = new Vocabulary(model.characters);
    this.meant = model.meaning.map(i => model.labels[i]);  // of each tag that the network learned
  }

  async predict(text) {
    const spans = this.tokenizer.spans(text);
    const forms = spans.map(({start, end}) => text.slice(start, end));
    const {best, probabilities, chain, tags} = spans.length
      ? await this.tagged(spans, forms) : {best: [], probabilities: []};
    const prediction = {
      tokens: forms,
      tags: best.map(tag => this.model.labels[tag]),
      probabilities: best.map((tag, t) => probabilities[t][tag]),
    };
    if (!this.model.entities) return prediction;
    const continues = chain && continuing(tags);
    const entities = entitySpans(prediction.tags).map(({type, first, last}) => {
      const [start, end] = [spans[first].start, spans[last - 1].end];
      const logP = spanLogProbability(chain, first, last, ofType(tags, type), continues);
      const found = text.slice(start, end), before = text.slice(0, start);
      return {
        type, start: length(before), end: length(before) + length(found), text: found,
        probability: Math.exp(logP),
      };
    });
    return {...prediction, entities};
  }

  // The best label of each word, the probabilities of all, and the chain behind them, each of
  // whose tags stands for one of `tags`.
  async tagged(spans, forms) {
    const {labels, temperature} = this.model;
    const outputs = await this.network.run(this.inputs(spans, forms));
    const emissions = rows(outputs.logits);
    if (!outputs.crf_start) {
      const probabilities = emissions.map(row =>
        temperedProbabilities(this.ofLabels(softmax(row)), temperature));
      const logs = probabilities.map(row => row.map(p => Math.log(Math.max(p, 1e-300))));
      const chain = lattice(independent(logs));
      return {best: probabilities.map(argmax), probabilities, chain, tags: labels};
    }
    const [start] = rows(outputs.crf_start), [end] = rows(outputs.crf_end);
    const crf = {emissions, start, between: rows(outputs.crf_transitions), end};
    const chain = lattice(tempered(crf, temperature));
    return {
      best: viterbi(chain).map(tag => this.model.meaning[tag]),
      probabilities: marginals(chain).map(row => this.ofLabels(row)),
      chain, tags: this.meant,
    };
  }

  // The probability of a label is the sum over the learned tags that stand for it.
  ofLabels(probabilities) {
    const found = this.model.labels.map(() => 0);
    probabilities.forEach((probability, tag) => { found[this.model.meaning[tag]] += probability; });
    return found;
  }

  inputs(spans, forms) {
    const words = spans.length, ids = this.vocabulary.encode(spans.map(({token}) => token));
    const inputs = {ids: integers(ids, [1, words]), lengths: integers([words], [1])};
    if (!this.network.reads("characters")) return inputs;
    const width = this.model.longest + 2, spelt = new Int32Array(words * width);
    forms.forEach((form, i) => {
      const letters = shortened([...this.tokenizer.spelling(form)], this.model.longest);
      spelt.set([BOUNDARY, ...this.characters.encode(letters), BOUNDARY], i * width);
    });
    return {...inputs, characters: integers(spelt, [1, words, width])};
  }
}

// The first and the last halves of a long word.
function shortened(letters, longest) {
  if (letters.length <= longest) return letters;
  const last = Math.floor(longest / 2);
  return [...letters.slice(0, longest - last), ...letters.slice(letters.length - last)];
}

// The number of characters, as Python counts them.
function length(text) {
  return [...text].length;
}
