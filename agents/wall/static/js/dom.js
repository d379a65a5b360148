// Small helpers for elements.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
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

// A bar of a share of the width, 0 to 1.
export function bar() {
  const svg = svgElement("svg", { class: "bar", viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" });
  svg.append(svgElement("rect", { class: "rest", width: 100, height: 10 }), svgElement("rect", { height: 10, width: 0 }));
  return svg;
}

export function setBar(svg, share) {
  svg.lastChild.setAttribute("width", (100 * Math.min(1, Math.max(0, share))).toFixed(2));
}

const ARROWS = { up: "M12 3 22 20H2z", down: "M12 21 2 4h20z", flat: "M3 9h18v6H3z" };

export function arrow(direction) {
  const svg = svgElement("svg", { viewBox: "0 0 24 24", "aria-hidden": "true", "data-arrow": direction });
  svg.append(svgElement("path", { d: ARROWS[direction] }));
  return svg;
}

function svgElement(tag, attributes) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}
