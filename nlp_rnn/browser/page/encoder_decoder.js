// The target of a source, such as its translation, and where the decoder looked while it wrote.

import {beamSearch} from "./decoding.js";
import {argmax} from "./linear_chain.js";
import {integers, rows, select} from "./network.js";
import {joined} from "./tokenizer.js";
import {PAD, UNKNOWN, Vocabulary} from "./vocabulary.js";

const SEPARATOR = "<sep>", UNKNOWN_WORD = "<unk>";

export class EncoderDecoder {
  constructor(model, networks, tokenizer, vocabulary) {
    Object.assign(this, {model, tokenizer, vocabulary, networks});
    this.targets = new Vocabulary(model.target.vocabulary);
  }

  // The best output of a beam search.
  async predict(text, {beam, length_penalty: alpha} = {}) {
    const {decoding} = this.model, {end} = this.targets, words = this.words(text);
    const source = await this.encoded(words);
    const limit = Math.floor(decoding.longest_ratio * words.length) + decoding.longest_extra;
    const begun = {tokens: [], logP: 0, row: 0, weights: [], covered: words.map(() => 0)};
    const weight = decoding.coverage_penalty;
    const found = await beamSearch(begun, hypotheses => this.step(source, hypotheses), {
      width: beam ?? decoding.beam, length: limit, end, alpha: alpha ?? decoding.length_penalty,
      bonus: ({covered}) => weight && coverage(covered, weight),
    });
    const output = joined(this.written(found, words), this.model.target.unit);
    const prediction = {output, log_probability: found.logP, score: found.score};
    return source.memory ? {...prediction, attention: this.attention(found, words)} : prediction;
  }

  // The tokens of a source, in the order in which the encoder reads them.
  words(text) {
    const joins = this.vocabulary.index.has(SEPARATOR);
    const parts = (joins ? text.split(SEPARATOR) : [text]).map(part => this.tokenizer.tokens(part));
    const tokens = parts.flatMap((part, i) => i ? [SEPARATOR, ...part] : part);
    const words = tokens.length ? tokens : [UNKNOWN_WORD];
    return this.model.reversed_source ? words.reverse() : words;
  }

  async encoded(words) {
    const lengths = integers([words.length], [1]);
    const ids = integers(this.vocabulary.encode(words), [1, words.length]);
    const {memory, copied, ...first} = await this.networks.model.run({ids, lengths});
    const names = this.networks.model.outputs.filter(name => name in first);
    return {memory, copied, lengths, states: names.map(name => first[name])};
  }

  // ln P of each next token of some hypotheses, each of which continues a row of source.states.
  async step(source, hypotheses) {
    const {decoder} = this.networks, {end} = this.targets, all = hypotheses.map(() => 0);
    const inputs = {
      target_ids: integers(hypotheses.map(({tokens}) => tokens.at(-1) ?? end), [all.length, 1]),
    };
    for (const name of ["memory", "lengths", "copied"])
      if (decoder.reads(name)) inputs[name] = select(source[name], all);
    const before = hypotheses.map(({row}) => row);
    decoder.states.forEach((name, i) => { inputs[name] = select(source.states[i], before); });
    const outputs = await decoder.run(inputs);
    const [found, ...after] = decoder.outputs.map(name => outputs[name]);
    const looked = source.memory ? rows(after.pop()) : null;
    source.states = after;
    const continued = (row, token) => {
      const {tokens, weights, covered} = hypotheses[row];
      return {
        row, tokens: [...tokens, token],
        weights: looked ? [...weights, looked[row]] : weights,
        covered: looked ? covered.map((sum, i) => sum + looked[row][i]) : covered,
      };
    };
    return {logP: rows(found).map(row => this.allowed(row)), continued};
  }

  allowed(logP) {
    logP[PAD] = -Infinity;
    if (this.model.decoding.unknown !== "copy") logP[UNKNOWN] = -Infinity;
    return logP;
  }

  // The words of an output; <unk> becomes the word at which its step looked most.
  written({tokens, weights}, words) {
    const copied = (token, step) => token === UNKNOWN && weights.length
      ? words[argmax(weights[step])] : this.targets.types[token];
    return tokens.map(copied).filter((_, step) => tokens[step] !== this.targets.end);
  }

  attention({tokens, weights}, words) {
    const backwards = this.model.reversed_source;
    const inOrder = row => backwards ? row.toReversed() : row;
    const read = this.vocabulary.encode(words).map(i => this.vocabulary.types[i]);
    return {
      source: inOrder(read),
      output: tokens.map(i => this.targets.types[i]),
      weights: weights.map(inOrder),
    };
  }
}

// The coverage penalty (Wu et al. 2016, equation 14), 0 or less.
function coverage(covered, weight) {
  return weight * covered.reduce((sum, c) => sum + Math.log(Math.min(Math.max(c, 1e-6), 1)), 0);
}
