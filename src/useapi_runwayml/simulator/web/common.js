// What the simulator tells becomes text and attributes, never markup.
export const $ = (id) => document.getElementById(id);

export function element(name, text, kind) {
  const made = document.createElement(name);
  if (text !== undefined) made.append(...words(text));
  if (kind) made.className = kind;
  return made;
}

export function words(text) {
  // what stands between backticks is code
  return String(text).split("`").map((part, place) => (place % 2 ? Object.assign(document.createElement("code"), { textContent: part }) : part));
}
