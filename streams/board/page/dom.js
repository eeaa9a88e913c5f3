// Makes elements. What events say is only ever set as text: there is no way here to set markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.setAttribute("class", value);
    else if (["value", "checked", "disabled", "hidden", "open"].includes(name)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  for (const child of children.flat(3)) {
    if (child === null || child === undefined || child === false || child === "") continue;
    node.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return node;
}

/** An HTML element: h("p", {class: "why"}, "text", child). */
export const h = (tag, properties, ...children) =>
  fill(document.createElement(tag), properties, children);

/** An SVG element. */
export const s = (tag, properties, ...children) =>
  fill(document.createElementNS(SVG, tag), properties, children);

export const by = (id) => document.getElementById(id);

/** Replaces what is in a place and keeps the focus and what was opened, by `data-key`. */
export function show(place, ...children) {
  const focused = place.contains(document.activeElement)
    ? document.activeElement.dataset.key : undefined;
  const opened = new Set([...place.querySelectorAll("details[open][data-key]")]
    .map((one) => one.dataset.key));
  const closed = new Set([...place.querySelectorAll("details:not([open])[data-key]")]
    .map((one) => one.dataset.key));
  const scrolled = place.scrollTop;
  place.replaceChildren(...children.flat(3).filter((child) => child instanceof Node));
  for (const one of place.querySelectorAll("details[data-key]")) {
    if (opened.has(one.dataset.key)) one.open = true;
    if (closed.has(one.dataset.key)) one.open = false;
  }
  place.scrollTop = scrolled;
  if (focused) {
    [...place.querySelectorAll("[data-key]")]
      .find((one) => one.dataset.key === focused)?.focus({ preventScroll: true });
  }
}

/** Options of a select, in place; what was chosen stays chosen where it still can be. */
export function choices(select, options) {
  const chosen = select.value;
  select.replaceChildren(...options.map(([value, text]) => h("option", { value }, text)));
  if (options.some(([value]) => value === chosen)) select.value = chosen;
}
