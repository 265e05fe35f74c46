// Finds text in lines: marks the lines, highlights the words, goes from one to the next.
const SHOWN = 2000;
const paint = globalThis.Highlight && CSS.highlights ? new Highlight() : null;
if (paint) CSS.highlights.set("found", paint);

function ranges(node, wanted) {
  const walker = document.createTreeWalker(node, NodeFilter.SHOW_TEXT);
  const parts = [];
  for (let text = walker.nextNode(), at = 0; text; at += text.data.length, text = walker.nextNode()) {
    parts.push({ text, at });
  }
  const whole = node.textContent.toLowerCase();
  const found = [];
  for (let from = whole.indexOf(wanted); from >= 0; from = whole.indexOf(wanted, from + wanted.length)) {
    const range = new Range();
    const begin = parts.findLast((part) => part.at <= from);
    const end = parts.findLast((part) => part.at < from + wanted.length);
    range.setStart(begin.text, from - begin.at);
    range.setEnd(end.text, from + wanted.length - end.at);
    found.push(range);
  }
  return found;
}

export class Search {
  constructor(tell) {
    this.tell = tell;
    this.wanted = "";
    this.hits = [];
    this.now = -1;
  }

  start(text, nodes) {
    paint?.clear();
    for (const hit of this.hits) hit.classList.remove("hit", "hit-now");
    this.wanted = text.toLowerCase();
    this.hits = [];
    this.now = -1;
    if (this.wanted) this.look(nodes);
    this.#report();
  }

  // Looks at lines that came or changed meanwhile.
  look(nodes) {
    if (!this.wanted) return;
    for (const node of nodes) {
      if (node.classList.contains("hit")) continue;
      // Uppercase letters that become longer in lowercase would move the places: such lines are marked whole.
      const text = node.textContent;
      if (!text.toLowerCase().includes(this.wanted)) continue;
      node.classList.add("hit");
      this.hits.push(node);
      if (paint && paint.size < SHOWN && text.toLowerCase().length === text.length) {
        for (const range of ranges(node, this.wanted)) paint.add(range);
      }
    }
    this.#report();
  }

  go(step) {
    this.hits = this.hits.filter((node) => node.isConnected);
    if (!this.hits.length) return;
    this.hits[this.now]?.classList.remove("hit-now");
    this.now = (this.now + step + this.hits.length) % this.hits.length;
    this.hits[this.now].classList.add("hit-now");
    this.hits[this.now].scrollIntoView({ block: "center", inline: "nearest" });
    this.#report();
  }

  #report() {
    this.tell(this.wanted ? { place: this.now + 1, count: this.hits.length } : null);
  }
}
