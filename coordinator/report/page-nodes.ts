import { parseHTML } from 'linkedom';

/** A node of a parsed page: text or an element. */
export interface PageNode {
  /** 1 for an element, 3 for text. */
  readonly nodeType: number;
  readonly textContent: string;
  readonly childNodes: Iterable<PageNode>;
}

/** An element of a parsed page. */
export interface PageElement extends PageNode {
  /** In capital letters. */
  readonly tagName: string;
  readonly children: Iterable<PageElement>;
  readonly parentElement: PageElement | null;
  readonly outerHTML: string;
  readonly innerHTML: string;
  getAttribute(name: string): string | null;
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
  closest(selector: string): PageElement | null;
}

/** Parses a report of our own making. */
export function parsePage(text: string): PageElement {
  const parse: (text: string) => { readonly document: unknown } = parseHTML;
  const { body } = parse(text).document as { readonly body: PageElement };
  return body;
}

/** What stands in an element: elements, and texts, which a parser may give in several parts. */
export function partsOf(element: PageNode): (PageElement | string)[] {
  const parts: (PageElement | string)[] = [];
  for (const node of element.childNodes) {
    const last = parts.at(-1);
    if (isElement(node)) parts.push(node);
    else if (typeof last === 'string') parts[parts.length - 1] = last + node.textContent;
    else parts.push(node.textContent);
  }
  return parts;
}

/** Whether a node is an element. */
function isElement(node: PageNode): node is PageElement {
  return node.nodeType === 1;
}

/** The name of an element in small letters; foreign elements have it so anyway. */
export function nameOf(element: PageElement): string {
  return element.tagName.toLowerCase();
}

/** Whether an element is of a class. */
export function hasClass(element: PageElement, name: string): boolean {
  return (element.getAttribute('class') ?? '').split(/\s+/).includes(name);
}
