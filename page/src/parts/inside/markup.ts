/** Pictures and formulas that the library wrote: parsed, never set as HTML of the page. */

const parser = new DOMParser();

/** An SVG document's root, ready to be put into the page; null if it is none. */
export function svgElement(text: string): SVGSVGElement | null {
  const root = parser.parseFromString(text, "image/svg+xml").documentElement;
  return root instanceof SVGSVGElement ? document.importNode(root, true) : null;
}

/** Puts a formula into an element: `<span {@attach formula(mathml, text)}></span>`. */
export function formula(mathml: string | undefined, text: string) {
  return (element: HTMLElement) => {
    const found = mathml && parser.parseFromString(mathml, "text/html").querySelector("math");
    if (found) element.replaceChildren(document.importNode(found, true));
    else element.textContent = text;
  };
}
