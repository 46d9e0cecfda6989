// HTML in raw text, read as a browser shows it, with its place in the raw text.

const BREAK = /<br\s*\/?>/giu;
const ENTITY = /&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[A-Za-z][A-Za-z0-9]*;?)/gu;
const LONGEST_NUMBER = 100, LONGEST_NAME = 32;
const WINDOWS = new TextDecoder("windows-1252");

// A text after replacements. places[i] is where text[i] stands in the raw text: [start, end].
export class Rewritten {
  constructor(text, places) {
    this.text = text;
    this.places = places ?? Array.from({length: text.length}, (_, i) => [i, i + 1]);
  }

  // replacement(match) returns the new characters and where the replaced part of this text ends.
  replaced(pattern, replacement) {
    const parts = [], places = [];
    let done = 0, match;
    pattern.lastIndex = 0;
    while ((match = pattern.exec(this.text))) {
      const [shown, end] = replacement(match), place = this.span(match.index, end);
      parts.push(this.text.slice(done, match.index), shown);
      for (let i = done; i < match.index; i++) places.push(this.places[i]);
      for (let i = 0; i < shown.length; i++) places.push(place);
      done = pattern.lastIndex = end;
    }
    parts.push(this.text.slice(done));
    for (let i = done; i < this.text.length; i++) places.push(this.places[i]);
    return new Rewritten(parts.join(""), places);
  }

  // The place in the raw text of text.slice(start, end).
  span(start, end) {
    return [this.places[start][0], this.places[end - 1][1]];
  }
}

// The text that a browser shows: <br> is a space, an entity the characters that it names.
export function shown(text, entities) {
  return new Rewritten(text)
    .replaced(BREAK, match => [" ", match.index + match[0].length])
    .replaced(ENTITY, match => character(match, entities));
}

// As in HTML 5, old names need no semicolon, and the longest name that matches counts.
function character({0: found, index: start}, entities) {
  if (found[1] === "#") return [numbered(found), start + found.length];
  for (let end = Math.min(found.length, LONGEST_NAME + 1); end > 2; end--) {
    const name = found.slice(1, end);
    if (Object.hasOwn(entities, name)) return [entities[name], start + end];
  }
  return ["&", start + 1];
}

// The character that "&#...;" names, with the replacements of HTML 5 for what is none.
function numbered(entity) {
  if (entity.length > LONGEST_NUMBER) return "\ufffd";
  const digits = entity.replace(/[&#xX;]/g, "");
  const code = parseInt(digits, /^&#x/i.test(entity) ? 16 : 10);
  if (code >= 0x80 && code <= 0x9f) return WINDOWS.decode(Uint8Array.of(code));
  if (code === 0 || code >= 0xd800 && code <= 0xdfff || code > 0x10ffff) return "\ufffd";
  const none = code < 0x20 && ![9, 10, 12, 13].includes(code) || code === 0x7f
    || code >= 0xfdd0 && code <= 0xfdef || (code & 0xfffe) === 0xfffe;
  return none ? "" : String.fromCodePoint(code);
}
