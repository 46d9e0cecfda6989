// Linear chains: the most likely tag sequence of a sentence, and tag probabilities.
//
// A tag sequence y with emissions e has the score
//   s(y) = start[y_1] + sum_t e_t[y_t] + sum_{t>1} between[y_{t-1}][y_t] + end[y_T]
// and the probability exp s(y) / Z. A chain is {emissions, start, between, end}.

export function logSumExp(values) {
  const top = Math.max(...values);
  if (top === -Infinity) return top;
  return top + Math.log(values.reduce((sum, value) => sum + Math.exp(value - top), 0));
}

// A chain whose tags do not depend on one another.
export function independent(emissions) {
  const zeros = emissions[0].map(() => 0);
  return {emissions, start: zeros, between: zeros.map(() => zeros), end: zeros};
}

// All scores divided by a temperature.
export function tempered({emissions, start, between, end}, temperature) {
  const divided = row => row.map(score => score / temperature);
  return {
    emissions: emissions.map(divided),
    start: divided(start), between: between.map(divided), end: divided(end),
  };
}

// The tag sequence with the highest score (Viterbi 1967).
export function viterbi({emissions, start, between, end}) {
  let scores = emissions[0].map((score, j) => start[j] + score);
  const origins = [];
  for (const emission of emissions.slice(1)) {
    const origin = emission.map((_, j) => argmax(scores.map((score, i) => score + between[i][j])));
    scores = emission.map((score, j) => score + (scores[origin[j]] + between[origin[j]][j]));
    origins.push(origin);
  }
  const path = [argmax(scores.map((score, j) => score + end[j]))];
  for (const origin of origins.reverse()) path.unshift(origin[path[0]]);
  return path;
}

export function argmax(values) {
  return values.reduce((best, value, i) => value > values[best] ? i : best, 0);
}

// The chain with all partial sums: alphas and betas of forward-backward, and log Z.
export function lattice(chain) {
  const {emissions, start, between, end} = chain;
  const alphas = [emissions[0].map((score, j) => start[j] + score)];
  for (const emission of emissions.slice(1))
    alphas.push(entered(alphas.at(-1), between, emission));
  const betas = [end];
  for (let t = emissions.length - 1; t > 0; t--) {
    const after = emissions[t].map((score, j) => score + betas[0][j]);
    betas.unshift(between.map(row => logSumExp(row.map((score, j) => score + after[j]))));
  }
  const logZ = logSumExp(alphas.at(-1).map((score, j) => score + end[j]));
  return {...chain, alphas, betas, logZ};
}

// emission[j] + logsumexp_i(before[i] + between[i][j])
function entered(before, between, emission) {
  return emission.map((score, j) =>
    score + logSumExp(before.map((value, i) => value + between[i][j])));
}

// P(y_t = j) for each word t and tag j.
export function marginals({alphas, betas}) {
  return alphas.map((alpha, t) => {
    const scores = alpha.map((value, j) => value + betas[t][j]);
    const total = logSumExp(scores);
    return scores.map(score => Math.exp(score - total));
  });
}

// ln P that exactly this span stands from first to last - 1: the first tag does not continue the
// tag before it, each further one does, and the tag after it does not (Culotta & McCallum 2004).
//   members[j]: whether the span may have the tag j
//   continues[i][j]: whether the tag j continues a span after the tag i
export function spanLogProbability(lattice, first, last, members, continues) {
  const {emissions, between, end, alphas, betas, logZ} = lattice;
  const only = wanted => between.map((row, i) =>
    row.map((score, j) => continues[i][j] === wanted ? score : -Infinity));
  const inward = only(true), across = only(false);
  let gamma = first === 0 ? alphas[0] : entered(alphas[first - 1], across, emissions[first]);
  gamma = gamma.map((score, j) => members[j] ? score : -Infinity);
  for (let t = first + 1; t < last; t++) gamma = entered(gamma, inward, emissions[t]);
  const total = last === emissions.length
    ? gamma.map((score, j) => score + end[j])
    : entered(gamma, across, emissions[last]).map((score, j) => score + betas[last][j]);
  return Math.min(logSumExp(total) - logZ, 0);
}
