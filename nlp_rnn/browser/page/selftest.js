// ?selftest: the predictions of this page beside those that Python computed at the export.

import {element, table} from "./show.js";

export async function selfTest(predictor) {
  const {tolerance, vectors} = await (await fetch("test_vectors.json")).json();
  const failures = [];
  let largest = 0;
  for (const vector of vectors) {
    const compared = {largest: 0, wrong: []};
    try {
      compare(vector.expected, await found(predictor, vector), "", compared);
    } catch (error) {
      compared.wrong.push({place: "", expected: vector.expected, found: String(error)});
    }
    largest = Math.max(largest, compared.largest);
    if (compared.largest > tolerance)
      compared.wrong.push({place: "a number", expected: "", found: `differs by ${compared.largest}`});
    const [bad] = compared.wrong;
    if (bad) failures.push({vector, bad});
  }
  document.documentElement.dataset.selftest = failures.length ? "failed" : "passed";
  const right = vectors.length - failures.length;
  const summary = element("p", {}, `Self-test: ${right} of ${vectors.length} results are those of `
    + `Python. Numbers differ by at most ${largest.toExponential(1)}.`);
  return failures.length ? [summary, failed(failures)] : [summary];
}

async function found(predictor, {of, text, options}) {
  if (of === "tokens") return predictor.tokenizer.tokens(text);
  if (of === "predict") return predictor.predict(text, options);
  const {uniforms, ...how} = options, pieces = [];
  const drawn = uniforms.values();
  const texts = predictor.generate(text, how, () => drawn.next().value);
  for await (const piece of texts) pieces.push(piece);
  return pieces.join("");
}

// Notes each difference of two values, and the largest of their numbers, relative above 1.
function compare(expected, found, place, compared) {
  if (typeof expected === "number" && typeof found === "number") {
    const difference = Math.abs(expected - found) / Math.max(1, Math.abs(expected));
    compared.largest = Math.max(compared.largest, Number.isNaN(difference) ? Infinity : difference);
  } else if (expected && found && typeof expected === "object" && typeof found === "object") {
    const keys = new Set([...Object.keys(expected), ...Object.keys(found)]);
    for (const key of keys) compare(expected[key], found[key], `${place}.${key}`, compared);
  } else if (expected !== found) {
    compared.wrong.push({place, expected, found});
  }
}

function failed(failures) {
  const json = value => JSON.stringify(value) ?? "nothing";
  return table(["of", "text", "where", "Python", "this page"], failures.map(({vector, bad}) =>
    element("tr", {}, ...[vector.of, vector.text, bad.place, json(bad.expected), json(bad.found)]
      .map(text => element("td", {}, text)))));
}
