// The probability of a text, and texts that continue another.

import {draw, nextDistribution} from "./decoding.js";
import {integers, numbers, rows} from "./network.js";
import {piece} from "./tokenizer.js";

const LOGITS_AT_ONCE = 1 << 22;

export class LanguageModel {
  constructor(model, networks, tokenizer, vocabulary) {
    Object.assign(this, {model, tokenizer, vocabulary, network: networks.model});
    this.atOnce = Math.max(1, Math.floor(LOGITS_AT_ONCE / vocabulary.types.length));
  }

  // ln P of a text as a line of its own, the end of the line included.
  async predict(text) {
    const {end} = this.vocabulary;
    const targets = [...this.vocabulary.encode(this.tokenizer.tokens(text)), end];
    let loss = 0, states = this.start();
    for (let at = 0; at < targets.length; at += this.atOnce) {
      const wanted = targets.slice(at, at + this.atOnce);
      const read = wanted.map((_, i) => at + i ? targets[at + i - 1] : end);
      const step = await this.step(read, states);
      step.logP.forEach((row, i) => { loss -= row[wanted[i]]; });
      states = step.states;
    }
    const tokens = targets.length;
    return {log_probability: -loss, tokens, perplexity: Math.exp(Math.min(loss / tokens, 700))};
  }

  // What each token adds to the prompt, until `length` tokens or the end of the text.
  async *generate(prompt, options, random = Math.random) {
    const {length, temperature, top_k: k, stop_at_end: stops} = options;
    const {end, types} = this.vocabulary;
    const ids = prompt.split("\n")
      .flatMap(line => [end, ...this.vocabulary.encode(this.tokenizer.tokens(line))]);
    let token = ids.pop(), before = prompt, states = this.start();
    for (let at = 0; at < ids.length; at += this.atOnce)
      ({states} = await this.step(ids.slice(at, at + this.atOnce), states));
    for (let count = 0; count < length; count++) {
      const step = await this.step([token], states);
      token = draw(nextDistribution(step.logP[0], {temperature, k}), random());
      states = step.states;
      if (stops && token === end) return;
      yield before = piece(types[token], before, this.model.tokenizer.unit);
    }
  }

  start() {
    return this.model.start.map(state => numbers(state, [1, state.length]));
  }

  // ln P of what follows each token, and the states after them.
  async step(ids, states) {
    const inputs = {ids: integers(ids, [1, ids.length])};
    this.network.states.forEach((name, i) => { inputs[name] = states[i]; });
    const outputs = await this.network.run(inputs);
    const [found, ...after] = this.network.outputs.map(name => outputs[name]);
    return {logP: rows(found), states: after};
  }
}
