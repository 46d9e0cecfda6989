// From raw text to tokens: split, clean, normalise. The expressions come from the model.

import {Rewritten, shown} from "./markup.js";

export class Tokenizer {
  constructor({unit, lowercase, digits, unicode, patterns, entities}) {
    const compiled = source => new RegExp(source, "gu");
    Object.assign(this, {unit, lowercase, digits, unicode, entities});
    this.token = compiled(patterns.token);
    this.wordBreak = compiled(patterns.word_break);
    this.dropped = compiled(patterns.dropped);
    this.apostrophe = compiled(patterns.apostrophe);
  }

  // The tokens, each with its start and end in the text.
  spans(text) {
    const read = this.entities ? shown(text, this.entities) : new Rewritten(text);
    const spaced = read.text.replace(this.wordBreak, " ");
    const found = [];
    for (const {0: piece, index} of spaced.matchAll(this.token)) {
      const token = this.folded(this.cleaned(piece));
      if (!token) continue;  // only invisible characters
      const [start, end] = read.span(index, index + piece.length);
      found.push({token, start, end});
    }
    return found;
  }

  tokens(text) {
    return this.spans(text).map(({token}) => token);
  }

  // A word of raw text as character models see it, with case and digits kept.
  spelling(word) {
    const visible = (this.entities ? shown(word, this.entities).text : word)
      .replace(this.dropped, "$1$2");
    return visible.replace(this.apostrophe, "'");
  }

  // Without invisible characters, and except for single characters with plain apostrophes.
  cleaned(piece) {
    const visible = piece.replace(this.dropped, "$1$2");
    return this.unit === "character" ? visible : visible.replace(this.apostrophe, "'");
  }

  folded(piece) {
    if (this.unicode !== "none") piece = piece.normalize(this.unicode);
    if (this.lowercase) piece = piece.toLowerCase();
    if (this.digits === "zero") piece = piece.replace(/\p{Nd}/gu, "0");
    return piece;
  }
}

// The text that a token adds to the text before it.
export function piece(token, before, unit) {
  if (token === "<eos>") return "\n";
  if (unit === "character") return token;
  const starts = /^$|\s$/u.test(before);
  if (unit === "subword") {
    const written = token.replaceAll("\u2581", " ");
    return starts ? written.replace(/^ +/u, "") : written;
  }
  return starts ? token : " " + token;
}

export function joined(tokens, unit) {
  return tokens.reduce((text, token) => text + piece(token, text, unit), "");
}
