// Subwords: byte-pair encoding (Sennrich et al. 2016), as the library `tokenizers` applies it.

import {shown} from "./markup.js";
import {Tokenizer} from "./tokenizer.js";

const SPACE = "\u2581", UNKNOWN = "<unk>";

export class SubwordTokenizer extends Tokenizer {
  constructor(rules) {
    super(rules);
    this.alphabet = new Set(rules.alphabet);
    this.ranks = new Map(rules.merges.map(([left, right], rank) => [`${left} ${right}`, rank]));
  }

  tokens(text) {
    return this.read(text).split(new RegExp(`(${UNKNOWN})`, "u")).filter(Boolean)
      .flatMap(part => part === UNKNOWN ? [part] : this.words(part))
      .flatMap(word => word === UNKNOWN ? [word] : this.merged(word));
  }

  // The whole text cleaned and normalised, with spaces for all white space.
  read(text) {
    const plain = this.entities ? shown(text, this.entities).text : text;
    const clean = this.cleaned(plain.replace(this.wordBreak, " "));
    return clean.replace(this.token, piece =>
      /^[\p{White_Space}\x1c-\x1f]+$/u.test(piece) ? " " : this.folded(piece));
  }

  // Words, each with a space before it.
  words(text) {
    const marked = text.replaceAll(" ", SPACE);
    return (marked.startsWith(SPACE) ? marked : SPACE + marked).match(/\u2581[^\u2581]*/gu);
  }

  // Characters of a word, of which the pair that was learned first is merged, again and again.
  merged(word) {
    const symbols = [...word].map(letter => this.alphabet.has(letter) ? letter : UNKNOWN);
    for (;;) {
      const pairs = symbols.slice(1).map((right, i) => `${symbols[i]} ${right}`);
      const ranks = pairs.map(pair => this.ranks.get(pair) ?? Infinity);
      const first = Math.min(...ranks);
      if (first === Infinity) return symbols;
      const place = ranks.indexOf(first);
      symbols.splice(place, 2, symbols[place] + symbols[place + 1]);
    }
  }
}
