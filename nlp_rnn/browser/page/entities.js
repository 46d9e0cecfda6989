// BIO and BIOES tags: the entities that they mark.

// The entities of tags, each with its type, its first word and one past its last. As in conlleval,
// a tag that does not continue an entity begins one.
export function entitySpans(tags) {
  const found = [];
  let first = 0, type = "";
  [...tags, "O"].forEach((tag, i) => {
    const prefix = tag.split("-", 1)[0], kind = typeOf(tag);
    if (type && (!["I", "E"].includes(prefix) || kind !== type)) {
      found.push({type, first, last: i});
      type = "";
    }
    if (["B", "I", "E", "S"].includes(prefix) && !type) [first, type] = [i, kind];
    if (type && ["E", "S"].includes(prefix)) {
      found.push({type, first, last: i + 1});
      type = "";
    }
  });
  return found;
}

function typeOf(tag) {
  return tag.includes("-") ? tag.slice(tag.indexOf("-") + 1) : "";
}

// Whether the tag j continues the entity of the tag i.
export function continuing(tags) {
  return tags.map(before => tags.map(tag =>
    before.slice(2) === tag.slice(2) && /^[BI]-/.test(before) && /^[IE]-/.test(tag)));
}

// Whether each tag is one of an entity of this type.
export function ofType(tags, type) {
  return tags.map(tag => /^[BIES]-/.test(tag) && tag.slice(2) === type);
}
