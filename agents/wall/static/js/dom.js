// Small helpers for elements.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function svgElement(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Replaces the children only where they are others, so that what is there keeps its animation.
export function setChildren(node, children) {
  const same = node.children.length === children.length && children.every((child, index) => node.children[index] === child);
  if (!same) node.replaceChildren(...children);
}

// Sets the numbers of a page, all at one size in rem: each the most exact of its texts that fits its width at the
// smallest size, and then all at the largest at which they still fit.
export function fitAll(page, numbers, sizes) {
  const smallest = sizes.at(-1);
  for (const { node, texts } of numbers) {
    const wanted = `${texts.join("|")}@${node.clientWidth}`;
    if (node.dataset.fitted === wanted) continue;
    node.dataset.fitted = wanted;
    node.style.fontSize = `${smallest}rem`;
    for (const text of texts) {
      node.textContent = text;
      if (node.scrollWidth <= node.clientWidth) break;
    }
  }
  const chosen = numbers.map(({ node }) => `${node.textContent}@${node.clientWidth}`).join("|");
  if (page.dataset.sized === chosen) return;
  page.dataset.sized = chosen;
  for (const size of sizes) {
    for (const { node } of numbers) node.style.fontSize = `${size}rem`;
    if (numbers.every(({ node }) => node.scrollWidth <= node.clientWidth)) return;
  }
}

// The first of several ways to say something that fits the width of the node; else the last, cut.
export function fitText(node, texts) {
  const wanted = `${texts.join("|")}@${node.clientWidth}`;
  if (node.dataset.fitted === wanted) return;
  node.dataset.fitted = wanted;
  for (const text of texts) {
    node.textContent = text;
    if (node.scrollWidth <= node.clientWidth) break;
  }
}

// A bar of a share of the width, 0 to 1, perhaps with a mark at another share.
export function bar() {
  const svg = svgElement("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(svgElement("rect", { class: "rest", width: 100, height: 10 }), svgElement("rect", { class: "part", height: 10, width: 0 }));
  return svg;
}

export function setBar(svg, share, mark = null) {
  const part = svg.querySelector(".part");
  part.setAttribute("width", (100 * within(share)).toFixed(2));
  let line = svg.querySelector(".mark");
  if (mark === null) return line?.remove();
  if (!line) svg.append((line = svgElement("rect", { class: "mark", width: 0.8, height: 10 })));
  line.setAttribute("x", (99.2 * within(mark)).toFixed(2));
}

function within(share) {
  return Math.min(1, Math.max(0, share));
}

const ARROWS = { up: "M12 3 22 20H2z", down: "M12 21 2 4h20z", flat: "M3 9h18v6H3z" };

export function arrow(direction) {
  const svg = svgElement("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", "data-arrow": direction });
  svg.append(svgElement("path", { d: ARROWS[direction] }));
  return svg;
}

// Shows an arrow with words; never colour alone.
export function setCompare(node, { arrow: direction, words, tone }) {
  const wanted = `${direction}|${words}|${tone}`;
  if (node.dataset.wanted === wanted) return;
  node.dataset.wanted = wanted;
  node.dataset.tone = tone;
  node.replaceChildren(...(direction ? [arrow(direction)] : []), words);
}
