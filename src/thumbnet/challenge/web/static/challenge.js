// Makes the pages live. Without it they say and do the same; one reloads them.
"use strict";

const SLOWEST_MS = 60000;
// The server's clock counts, whatever that of the reader says.
const skew = document.body.dataset.now ? Date.parse(document.body.dataset.now) - Date.now() : 0;
const now = () => Date.now() + skew;

const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

function written(moment) {
  const time = new Date(moment);
  const isToday = time.toDateString() === new Date(now()).toDateString();
  return isToday ? CLOCK.format(time) : DAY.format(time);
}

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = written(time.dateTime);
    time.title = time.dateTime;
  }
  for (const text of root.querySelectorAll("[data-time]")) text.textContent = DAY.format(new Date(text.dataset.time));
}

function span(seconds) {
  const pad = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const rest = `${pad(Math.floor(seconds / 60) % 60)}:${pad(seconds % 60)}`;
  if (hours >= 48) return `${Math.floor(hours / 24)} days ${hours % 24} h`;
  return hours ? `${hours}:${rest}` : rest;
}

function countDown() {
  for (const element of document.querySelectorAll("[data-until]")) {
    const left = Math.ceil((Date.parse(element.dataset.until) - now()) / 1000);
    if (left > 0) {
      element.querySelector(".countdown").textContent = `, in ${span(left)}`;
    } else {
      element.textContent = element.dataset.over;
      element.removeAttribute("data-until");
      element.className = "good";
    }
  }
}

class LiveBoard {
  constructor(board) {
    this.board = board;
    this.updated = document.getElementById("updated");
    this.announcement = document.getElementById("announcement");
    this.etag = board.dataset.etag;
    this.checked = Date.now();
    this.failures = 0;
    this.tell();
    this.wait();
    setInterval(() => this.tell(), 1000);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.ask();
    });
  }

  wait() {
    // A little chance, so that a class does not ask all at once.
    const pause = Math.min(1000 * this.board.dataset.pollSeconds * 2 ** this.failures, SLOWEST_MS) * (0.8 + 0.4 * Math.random());
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), pause);
  }

  async ask() {
    if (document.hidden || this.asking) return this.wait();
    this.asking = true;
    try {
      const answer = await fetch(this.board.dataset.live, {
        headers: { "If-None-Match": this.etag }, cache: "no-store", credentials: "omit",
      });
      if (answer.status !== 304) {
        if (!answer.ok) throw new Error(`status ${answer.status}`);
        const content = await answer.text();
        this.etag = answer.headers.get("ETag");
        this.show(content);
      }
      this.checked = Date.now();
      this.failures = 0;
    } catch {
      this.failures += 1;
    } finally {
      this.asking = false;
      this.tell();
      this.wait();
    }
  }

  rows() {
    return Array.from(this.board.querySelectorAll("tr[data-team]"));
  }

  show(content) {
    const text = (row) => `${row.querySelector(".rank").textContent} ${row.querySelector(".score b").textContent}`;
    const before = new Map(this.rows().map((row) => [row.dataset.team, text(row)]));
    const focused = this.board.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    this.board.innerHTML = content;
    localise(this.board);
    let changed = 0;
    for (const row of this.rows()) {
      if (before.get(row.dataset.team) !== text(row)) {
        row.classList.add("changed");
        changed += 1;
      }
      if (this.board.dataset.own && row.dataset.team === this.board.dataset.own) this.own(row);
      const link = row.querySelector("a");
      if (focused && link.getAttribute("href") === focused) link.focus({ preventScroll: true });
    }
    if (changed) this.announcement.textContent = `The scoreboard changed at ${CLOCK.format(new Date())}.`;
  }

  own(row) {
    row.classList.add("own");
    row.setAttribute("aria-current", "true");
    const parts = { rank: row.querySelector(".rank").textContent, score: row.querySelector(".score b").textContent };
    parts.teams = this.rows().length;
    const figures = document.querySelector("[data-own-figures]");
    if (figures) {
      figures.hidden = false;
      document.querySelector("[data-own-none]").hidden = true;
    }
    for (const [part, value] of Object.entries(parts)) {
      const element = document.querySelector(`[data-own-${part}]`);
      if (element) element.textContent = value;
    }
  }

  tell() {
    const seconds = Math.round((Date.now() - this.checked) / 1000);
    const ago = seconds < 2 ? "just now" : seconds < 120 ? `${seconds} s ago` : `${Math.round(seconds / 60)} min ago`;
    const state = document.createElement("span");
    state.className = this.failures ? "live lost" : "live";
    state.textContent = this.failures ? `Connection lost. Last updated ${ago}` : `Live, updated ${ago}`;
    this.updated.replaceChildren(state);
  }
}

function guard(form) {
  const file = form.querySelector("input[type=file]");
  const problem = form.querySelector("[data-file-problem]");
  const limit = Number(form.dataset.maxBytes);
  let sent = false;
  const busy = (value) => {
    sent = value;
    for (const button of form.querySelectorAll("button")) button.setAttribute("aria-disabled", String(value));
  };
  const check = () => {
    const chosen = file && file.files[0];
    const tooLarge = Boolean(limit && chosen && chosen.size > limit);
    if (problem) {
      problem.textContent = tooLarge
        ? `This file has ${chosen.size.toLocaleString("en")} bytes, more than the ${limit.toLocaleString("en")} allowed; choose another one.`
        : "";
    }
    return !tooLarge;
  };
  if (file) file.addEventListener("change", check);
  form.addEventListener("submit", (event) => {
    if (!check() || sent) return event.preventDefault();
    if (event.submitter && "download" in event.submitter.dataset) return undefined;
    // Against a second click; whoever stopped the first one may send again after a while.
    busy(true);
    setTimeout(busy, 5000, false);
    return undefined;
  });
}

localise(document);
countDown();
setInterval(countDown, 1000);
for (const form of document.forms) if (form.method === "post") guard(form);
const board = document.getElementById("board");
if (board) new LiveBoard(board);
const problem = document.getElementById("problem");
if (problem) problem.scrollIntoView({ block: "nearest" });
