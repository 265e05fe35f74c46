// Lines of output in the page: blocks of lines, of which a browser lays out only those that are seen.
const BLOCK = 200;
const MOST = 100000;

function build([number, channel, runs, continued, time], old) {
  const line = old ?? document.createElement("div");
  line.className = `l${channel === "e" ? " e" : ""}${continued ? " c" : ""}`;
  line.dataset.n = number + 1;
  line.dataset.t = time;
  // Text only ever becomes text: nothing that a job writes can become markup.
  line.replaceChildren(
    ...runs.map(([style, text]) => {
      if (!style) return document.createTextNode(text);
      const run = document.createElement("span");
      run.className = style;
      run.textContent = text;
      return run;
    }),
  );
  if (!runs.length) line.textContent = "\n";
  return line;
}

export class Lines {
  constructor(place, first) {
    this.place = place;
    this.first = first;
    this.nodes = [...place.querySelectorAll(".l")];
    this.dropped = false;
  }

  get end() {
    return this.first + this.nodes.length;
  }

  // Forgets the lines from a number on; they are about to be sent again.
  cut(from) {
    if (from < this.first || from > this.end) {
      this.place.replaceChildren();
      this.nodes = [];
      this.first = from;
      return;
    }
    for (const node of this.nodes.splice(from - this.first)) node.remove();
    while (this.place.lastElementChild && !this.place.lastElementChild.childElementCount) {
      this.place.lastElementChild.remove();
    }
  }

  // Adds lines, or shows lines anew that more came of. Returns the nodes that changed.
  put(lines) {
    const changed = [];
    for (const line of lines) {
      const index = line[0] - this.first;
      if (index < 0) continue;
      if (index < this.nodes.length) changed.push(build(line, this.nodes[index]));
      else changed.push(this.#append(build(line)));
    }
    this.#dropOldest();
    return changed;
  }

  #append(node) {
    let block = this.place.lastElementChild;
    if (!block || block.childElementCount >= BLOCK) {
      block = document.createElement("div");
      block.className = "block";
      this.place.append(block);
    }
    block.append(node);
    this.nodes.push(node);
    return node;
  }

  #dropOldest() {
    while (this.nodes.length > MOST) {
      const block = this.place.firstElementChild;
      this.nodes.splice(0, block.childElementCount);
      this.first += block.childElementCount;
      block.remove();
      this.dropped = true;
    }
  }

  text(channel) {
    const wanted = this.nodes.filter((node) => !channel || node.classList.contains("e") === (channel === "e"));
    return wanted.map((node) => (node.textContent === "\n" ? "" : node.textContent)).join("\n") + "\n";
  }
}
