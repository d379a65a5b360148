// Which page is shown: they come round by themselves, are turned by keys and buttons, and can be held.
//
// Keys: right and left, page down and up: next and previous; home, end, 1 to 9: that page; space or P: hold, go on.
// The address has the page and whether it is held, so that it can be kept as a bookmark: ?page=2&pin

import { setText } from "./dom.js";

const HIDE_POINTER_MS = 3000;
const STEPS = { ArrowRight: 1, PageDown: 1, ArrowDown: 1, ArrowLeft: -1, PageUp: -1, ArrowUp: -1 };

export class Controls {
  #count;
  #rotateMs;
  #timer = null;
  #pointer = null;
  #pass; // whether to pass over a page when they come round
  #show; // called with the page to show
  #nodes;

  constructor({ count, rotateMs, passOver, show }) {
    this.#count = count;
    this.#rotateMs = rotateMs;
    this.#pass = passOver;
    this.#show = show;
    this.#nodes = Object.fromEntries(["controls", "previous", "hold", "next", "dots"].map((id) => [id, document.getElementById(id)]));
    const given = new URLSearchParams(location.search);
    const page = Number.parseInt(given.get("page"), 10) || 1;
    this.current = Math.min(Math.max(page, 1), Math.max(count, 1)) - 1;
    this.held = given.has("pin") && given.get("pin") !== "false";
    this.#nodes.controls.hidden = count < 2;
    this.#listen();
    this.#restart();
    this.#say();
  }

  go(index) {
    this.current = (index + this.#count) % this.#count;
    this.#remember();
    this.#restart();
    this.#say();
    this.#show(this.current);
  }

  hold(held = !this.held) {
    this.held = held;
    this.#remember();
    this.#restart();
    this.#say();
  }

  #listen() {
    const { previous, hold, next } = this.#nodes;
    previous.addEventListener("click", () => this.go(this.current - 1));
    next.addEventListener("click", () => this.go(this.current + 1));
    hold.addEventListener("click", () => this.hold());
    addEventListener("keydown", (event) => this.#press(event));
    addEventListener("pointermove", () => this.#showPointer());
  }

  #press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey || this.#count < 2) return;
    const onButton = event.target instanceof HTMLButtonElement;
    if (event.key in STEPS) this.go(this.current + STEPS[event.key]);
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.#count - 1);
    else if (/^[1-9]$/.test(event.key) && Number(event.key) <= this.#count) this.go(Number(event.key) - 1);
    else if (event.key.toLowerCase() === "p" || (event.key === " " && !onButton)) this.hold();
    else return;
    event.preventDefault();
  }

  #restart() {
    clearInterval(this.#timer);
    if (!this.held && this.#rotateMs > 0 && this.#count > 1) this.#timer = setInterval(() => this.#turn(), this.#rotateMs);
  }

  #turn() {
    const order = Array.from({ length: this.#count }, (_, step) => (this.current + 1 + step) % this.#count);
    this.current = order.find((index) => !this.#pass(index)) ?? this.current;
    this.#say();
    this.#show(this.current);
  }

  #remember() {
    const url = new URL(location.href);
    url.searchParams.set("page", String(this.current + 1));
    url.searchParams.delete("pin");
    const address = this.held ? `${url.pathname}${url.search}&pin` : `${url.pathname}${url.search}`;
    history.replaceState(null, "", address);
  }

  #say() {
    const { hold, dots } = this.#nodes;
    const turning = !this.held && this.#rotateMs > 0;
    hold.setAttribute("aria-label", turning ? "Hold this page" : "Let the pages come round");
    hold.dataset.held = String(!turning);
    setText(dots, `page ${this.current + 1} of ${this.#count}${turning || this.#count < 2 ? "" : ", held"}`);
  }

  // Nobody wants to see the pointer on a wall, but who moves it does.
  #showPointer() {
    document.body.classList.add("pointing");
    clearTimeout(this.#pointer);
    this.#pointer = setTimeout(() => document.body.classList.remove("pointing"), HIDE_POINTER_MS);
  }
}
