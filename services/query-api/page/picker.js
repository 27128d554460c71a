// The meter's combobox: type to search, arrows and Enter to choose.

import * as api from "./api.js";
import * as format from "./format.js";

const DEBOUNCE_MS = 150;

export class Picker {
  constructor(onPick, clockNow) {
    Object.assign(this, { onPick, clockNow, chosen: "", active: -1, found: [], asked: 0 });
    this.input = document.getElementById("picker-input");
    this.list = document.getElementById("picker-list");
    this.input.addEventListener("focus", () => { this.input.select(); this.open(""); });
    this.input.addEventListener("input", () => this.later());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => this.close());
    // The list must not take the focus before the click has arrived.
    this.list.addEventListener("pointerdown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[data-id]");
      if (item) this.pick(item.dataset.id);
    });
  }

  set(id) {
    this.chosen = id;
    this.input.value = id;
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.open(this.input.value.trim()), DEBOUNCE_MS);
  }

  async open(search) {
    const asked = ++this.asked;
    try {
      const page = await api.meters(search);
      if (asked !== this.asked || document.activeElement !== this.input) return;
      this.found = page.nodes;
      this.show(page.pageInfo.hasNextPage);
    } catch (error) {
      this.message(error.message);
    }
  }

  show(more) {
    this.active = this.found.findIndex((meter) => meter.id === this.chosen);
    const items = this.found.map((meter, index) => {
      const item = document.createElement("li");
      item.id = `picker-${index}`;
      item.role = "option";
      item.dataset.id = meter.id;
      const name = document.createElement("span");
      name.className = "name";
      name.textContent = meter.id;
      const note = document.createElement("span");
      note.className = "note";
      const fresh = meter.latest && this.clockNow() - Date.parse(meter.latest.ts) <= 1000 * meter.silentAfterS;
      note.textContent = fresh && meter.latest.powerW !== null
        ? format.powerText(meter.latest.powerW)
        : format.ago(this.clockNow() - Date.parse(meter.latest?.ts ?? meter.lastSeen));
      item.append(name, note);
      return item;
    });
    this.list.replaceChildren(...items);
    if (items.length === 0) return this.message("No meter has this in its name");
    if (more) this.list.append(this.hint("More: type a part of the name"));
    this.expand();
    this.mark();
  }

  message(text) {
    this.found = [];
    this.active = -1;
    this.list.replaceChildren(this.hint(text));
    this.expand();
  }

  hint(text) {
    const item = document.createElement("li");
    item.className = "hint";
    item.textContent = text;
    return item;
  }

  expand() {
    this.list.hidden = false;
    this.input.setAttribute("aria-expanded", "true");
  }

  mark() {
    [...this.list.children].forEach((item, index) => item.setAttribute("aria-selected", String(index === this.active)));
    const item = this.list.children[this.active];
    if (item && this.found.length) {
      this.input.setAttribute("aria-activedescendant", item.id);
      item.scrollIntoView({ block: "nearest" });
    } else {
      this.input.removeAttribute("aria-activedescendant");
    }
  }

  key(event) {
    const last = this.found.length - 1;
    const moves = { ArrowDown: Math.min(last, this.active + 1), ArrowUp: Math.max(0, this.active - 1) };
    if (event.key in moves && last >= 0) {
      event.preventDefault();
      this.active = moves[event.key];
      this.mark();
    } else if (event.key === "Enter") {
      event.preventDefault();
      const meter = this.found[this.active] ?? (this.found.length === 1 ? this.found[0] : null);
      if (meter) this.pick(meter.id);
    } else if (event.key === "Escape") {
      this.input.blur();
    }
  }

  pick(id) {
    this.set(id);
    this.input.blur();
    this.onPick(id);
  }

  close() {
    this.asked += 1;
    clearTimeout(this.timer);
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.input.value = this.chosen;
  }
}
