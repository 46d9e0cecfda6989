// Vocabularies: the map between types and numbers.

export const PAD = 0, UNKNOWN = 1;

export class Vocabulary {
  constructor({types, end}) {
    this.types = types;
    this.index = new Map(types.map((type, i) => [type, i]));
    this.index.delete(types[PAD]);  // a text that contains "<pad>" is no padding
    this.end = this.index.get(end);
  }

  encode(tokens) {
    return tokens.map(token => this.index.get(token) ?? UNKNOWN);
  }
}
