// Parts of the page. Every text becomes a text node, so none is ever run as markup.

const JOINERS = "\u200c\u200d";
const COLOURS = 8;  // of types of entities, in style.css

// An element with properties and children; a string among these is a text.
export function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.map(child => typeof child === "string" ? revealed(child) : child));
  return made;
}

// Invisible characters as ‹U+202E›, so that a text cannot turn round or hide what is beside it.
export function revealed(text) {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, character =>
    /\s/u.test(character) || JOINERS.includes(character) ? character
      : `‹U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}›`);
}

function number(value, digits = 3) {
  return element("td", {className: "number"}, value.toFixed(digits));
}

export function table(columns, rows) {
  const head = element("tr", {}, ...columns.map(name => element("th", {}, name)));
  return element("div", {className: "scroll"},
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)));
}

// --- one function for the predictions of each task ---------------------------------------

export function classification({label, labels = [label], probabilities}) {
  const rows = Object.entries(probabilities).sort((one, other) => other[1] - one[1]);
  return [table(["label", "probability", ""], rows.map(([name, value]) => element("tr",
    {className: labels.includes(name) ? "given" : ""},
    element("td", {}, element("bdi", {}, name)), number(value),
    element("td", {}, element("progress", {value, ariaLabel: name})))))];
}

export function tagging({tokens, tags, probabilities, entities}, text, labels) {
  if (!tokens.length) return [element("p", {}, "The text has no words.")];
  const rows = tokens.map((token, i) => element("tr", {}, element("td", {}, element("bdi", {}, token)),
    element("td", {}, tags[i]), number(probabilities[i])));
  const details = element("details", {}, element("summary", {}, "Every word"),
    table(["word", "tag", "probability"], rows));
  return [entities ? coloured(text, entities, labels) : tagged(tokens, tags), details];
}

// A text with its entities in the colour of their type, which the labels of the model decide.
function coloured(text, entities, labels) {
  const types = [...new Set(labels.map(label => label.slice(2)).filter(Boolean))].sort();
  const characters = [...text], parts = [];
  let done = 0;
  for (const {type, start, end, probability} of entities) {
    const className = `type-${types.indexOf(type) % COLOURS}`;
    const title = `probability ${probability.toFixed(3)}`;
    parts.push(characters.slice(done, start).join(""), element("mark", {className, title},
      characters.slice(start, end).join(""), element("small", {}, type)));
    done = end;
  }
  return element("div", {className: "text"}, ...parts, characters.slice(done).join(""));
}

function tagged(tokens, tags) {
  return element("div", {className: "text words"}, ...tokens.map((token, i) =>
    element("span", {}, element("bdi", {}, token), element("small", {}, tags[i]))));
}

export function probability({log_probability: logP, tokens, perplexity}) {
  return element("p", {className: "quiet"}, `Your text has ln P = ${logP.toFixed(3)}, which is a `
    + `perplexity of ${perplexity.toFixed(2)} over ${tokens} tokens, its end included.`);
}

export function translation({output, log_probability: logP, attention}) {
  const parts = [element("div", {className: "text"}, output),
    element("p", {className: "quiet"}, `ln P = ${logP.toFixed(3)}`)];
  return attention ? [...parts, heatMap(attention)] : parts;
}

// The weights of attention: a row for each token of the output, a column for each of the source.
function heatMap({source, output, weights}) {
  const head = element("tr", {}, element("td"), ...source.map(token => element("th", {}, token)));
  const body = output.map((token, i) => element("tr", {},
    element("th", {}, element("bdi", {}, token)), ...source.map((from, j) => {
      const title = revealed(`${token} ← ${from}: ${weights[i][j].toFixed(3)}`);
      const cell = element("td", {title});
      cell.style.background = `rgb(42 134 200 / ${weights[i][j].toFixed(3)})`;
      return cell;
    })));
  return element("div", {className: "scroll"}, element("table", {className: "heat"},
    element("caption", {className: "quiet"},
      "Where the decoder looked: the stronger the colour, the more"),
    element("thead", {}, head), element("tbody", {}, ...body)));
}
