// Decoding: the choice of tokens, given the probability of each next one.

import {PAD, UNKNOWN} from "./vocabulary.js";

export function softmax(logits) {
  const top = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  const exponentials = Float64Array.from(logits, logit => Math.exp(logit - top));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map(value => value / sum);
}

// softmax(logits / temperature); at 0, all probability is on the most likely token.
export function tempered(logits, temperature) {
  const top = logits.reduce((most, logit) => Math.max(most, logit), -Infinity);
  if (temperature === 0) {
    const greedy = new Float64Array(logits.length);
    greedy[logits.indexOf(top)] = 1;
    return greedy;
  }
  return softmax(Float64Array.from(logits, logit => (logit - top) / temperature));
}

// The k most likely tokens, their probabilities scaled to sum to 1 (Fan et al. 2018).
export function topK(probabilities, k) {
  const kept = new Float64Array(probabilities.length), likeliest = best(probabilities, k);
  const sum = likeliest.reduce((total, i) => total + probabilities[i], 0);
  for (const i of likeliest) kept[i] = probabilities[i] / sum;
  return kept;
}

// The places of the n highest values, highest first; of equal ones, the first come first.
function best(values, n) {
  const places = [];
  values.forEach((value, i) => {
    if (places.length === n && value <= values[places[n - 1]]) return;
    let rank = places.length;
    while (rank > 0 && values[places[rank - 1]] < value) rank--;
    places.splice(rank, 0, i);
    if (places.length > n) places.pop();
  });
  return places;
}

// Logits in which what is not text has no probability.
export function textOnly(logits) {
  const found = Float64Array.from(logits);
  found[PAD] = found[UNKNOWN] = -Infinity;
  return found;
}

// The distribution from which the next token of a text is drawn.
export function nextDistribution(logits, {temperature, k}) {
  const probabilities = tempered(textOnly(logits), temperature);
  return k ? topK(probabilities, k) : probabilities;
}

// A token, by inverting the cumulative distribution; uniform is at least 0 and below 1.
export function draw(probabilities, uniform) {
  const total = probabilities.reduce((sum, value) => sum + value, 0);
  let cumulative = 0;
  return probabilities.findIndex(probability => {
    cumulative += probability;
    return cumulative > uniform * total;  // never a token with probability 0
  });
}

// Longer texts have lower probabilities; this penalty makes them comparable (Wu et al. 2016).
function lengthPenalty(length, alpha) {
  return ((5 + length) / 6) ** alpha;
}

// The text with the highest score that a beam search finds; a beam of 1 is greedy.
//   begun: a hypothesis without tokens: {tokens: [], logP: 0, ...}
//   step(hypotheses): ln P of each next token of each hypothesis, and continued(row, token), which
//     is the hypothesis in that row with one more token, without its logP
//   bonus(hypothesis): what its score has beside its log-probability
export async function beamSearch(begun, step, {width, length, end, alpha, bonus = () => 0}) {
  let beam = [begun], found = null;
  for (let steps = 1; steps <= length && beam.length; steps++) {
    const {logP, continued} = await step(beam);
    const penalty = lengthPenalty(steps, alpha), next = [];
    // Each row ends once, so at least `width` of the best `2 * width` do not end.
    likeliest(beam, logP, 2 * width).forEach(({row, token, logP}, rank) => {
      const hypothesis = {...continued(row, token), logP};
      if (rank < width && (token === end || steps === length)) {
        const score = logP / penalty + bonus(hypothesis);
        if (!found || score > found.score) found = {...hypothesis, score};
      }
      if (token !== end && next.length < width) next.push(hypothesis);
    });
    // Continuations only lose probability, and the longest has the greatest penalty.
    const attainable = Math.max(...next.map(({logP}) => logP)) / lengthPenalty(length, alpha);
    if (found && (width === 1 || found.score >= attainable)) break;
    beam = next;
  }
  return found;
}

// The n most likely continuations of a beam, best first; impossible ones are left out.
function likeliest(beam, logP, n) {
  return beam
    .flatMap((hypothesis, row) => best(logP[row], n)
      .map(token => ({row, token, logP: logP[row][token] + hypothesis.logP})))
    .filter(({logP}) => logP > -Infinity)
    .sort((one, other) => other.logP - one.logP)
    .slice(0, n);
}
