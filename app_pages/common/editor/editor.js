// The live conversation editor. The protocol, both ways:
//
// to Python    state "doc": {client, seq, base, settled, messages | raw}. One request is in flight at
//              a time and always carries the newest text; `settled` says that typing has paused.
//              state "tick": a number, sent when Python asked to be polled.
// from Python  data {revision, messages, raw, ack: {client, seq}, problem, poll_ms, beat}. The text
//              areas are written only when `revision` changes, so the cursor never jumps.
//
// Text travels through `value` and `textContent` only, never as HTML.

const ROLES = ["system", "user", "assistant"];
const ROLE_NAMES = { system: "System", user: "User", assistant: "Assistant" };
const SEND_AFTER_MS = 30;
const SETTLED_AFTER_MS = 1200;
const BUSY_AFTER_MS = 400;
const RESEND_AFTER_MS = 20000;

const ICONS = {
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  remove: "M6 6l12 12M18 6L6 18",
};

const editors = new WeakMap();
// What an editor took with it unanswered when its page was left: {revision, mode, turns, raw}.
let leftBehind = null;

class Editor {
  constructor(root) {
    this.root = root;
    this.find = (selector) => root.querySelector(selector);
    this.client = Math.random().toString(36).slice(2, 12);
    this.seq = 0;
    this.beat = 0;
    this.revision = null;
    this.inFlight = null;
    this.unsent = false;
    this.settledWanted = false;
    this.composing = false;
    this.mode = "turns";
    this.turns = [];
    this.timers = {};
    this.raw = this.find(".raw textarea");
    this.listen(this.raw, () => {});
    for (const button of root.querySelectorAll(".mode")) {
      button.onclick = () => this.switchMode(button.dataset.mode);
    }
    this.find(".add").onclick = () => this.addTurn();
  }

  // ---- from Python

  receive(data, setStateValue) {
    this.setStateValue = setStateValue;
    if (data.revision !== this.revision) this.replace(data);
    this.takeUp();
    const ack = data.ack ?? {};
    if (this.inFlight && ack.client === this.client && ack.seq >= this.inFlight.seq) {
      this.inFlight = null;
    }
    if (!this.unsent && !this.inFlight) this.showProblem(data.problem);
    this.showBusy();
    if (this.unsent) this.flush();
    else this.schedulePoll(data);
  }

  replace(data) {
    this.revision = data.revision;
    this.inFlight = null;
    this.unsent = false;
    this.settledWanted = false;
    this.clear("send", "settle", "resend");
    this.turns = data.messages.map((message) => ({ ...message }));
    this.raw.value = data.raw ?? JSON.stringify(this.turns, null, 2);
    this.showMode(data.raw === null ? this.mode : "raw");
    this.draw();
  }

  // A run that leaves the page drops the edit that came just before it.
  takeUp() {
    const left = leftBehind;
    leftBehind = null;
    if (left?.revision !== this.revision) return;
    this.turns = left.turns;
    this.raw.value = left.raw;
    this.showMode(left.mode);
    this.draw();
    this.changed();
  }

  // ---- to Python

  changed() {
    this.unsent = true;
    this.settledWanted = false;
    this.later("settle", SETTLED_AFTER_MS, () => {
      if (this.composing) return;
      this.settledWanted = true;
      this.unsent = true;
      this.flush();
    });
    this.later("send", SEND_AFTER_MS, () => this.flush());
  }

  sendNow() {
    if (!this.timers.settle && !this.unsent) return;
    this.clear("settle", "send");
    this.settledWanted = true;
    this.unsent = true;
    this.inFlight = null;
    this.flush();
  }

  flush() {
    if (!this.unsent || this.inFlight || this.composing) return;
    this.clear("send", "poll");
    this.unsent = false;
    this.seq += 1;
    this.inFlight = { seq: this.seq, at: performance.now() };
    const doc = {
      client: this.client,
      seq: this.seq,
      base: this.revision,
      settled: this.settledWanted,
    };
    if (this.mode === "raw") doc.raw = this.raw.value;
    else doc.messages = this.turns.map(({ role, content }) => ({ role, content }));
    this.settledWanted = false;
    this.setStateValue("doc", doc);
    this.later("busy", BUSY_AFTER_MS, () => this.showBusy());
    // An answer can be lost with the run that carried it; the text must not be.
    this.later("resend", RESEND_AFTER_MS, () => {
      if (!this.inFlight) return;
      this.inFlight = null;
      this.unsent = true;
      this.flush();
    });
  }

  schedulePoll(data) {
    this.clear("poll");
    if (!data.poll_ms) return;
    this.later("poll", data.poll_ms, () => {
      if (this.inFlight) return;
      this.beat = Math.max(this.beat, data.beat ?? 0) + 1;
      this.setStateValue("tick", this.beat);
    });
  }

  later(name, delay, action) {
    clearTimeout(this.timers[name]);
    this.timers[name] = setTimeout(() => {
      delete this.timers[name];
      action();
    }, delay);
  }

  clear(...names) {
    for (const name of names) {
      clearTimeout(this.timers[name]);
      delete this.timers[name];
    }
  }

  stop() {
    this.clear(...Object.keys(this.timers));
    if (!this.unsent && !this.inFlight) return;
    const { revision, mode, turns } = this;
    leftBehind = { revision, mode, turns, raw: this.raw.value };
  }

  // ---- the text areas

  listen(area, store) {
    area.oninput = () => {
      store(area.value);
      grow(area);
      this.showCount();
      this.changed();
    };
    area.onblur = () => this.sendNow();
    area.onkeydown = (event) => {
      // Streamlit's own single-key shortcuts must not fire while someone types.
      event.stopPropagation();
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.settledWanted = true;
        this.unsent = true;
        this.sendNow();
      }
    };
    area.oncompositionstart = () => {
      this.composing = true;
    };
    area.oncompositionend = () => {
      this.composing = false;
      store(area.value);
      this.changed();
    };
  }

  draw(focusOn = null) {
    const list = this.find(".turns");
    list.replaceChildren(...this.turns.map((_, index) => this.drawTurn(index)));
    for (const area of this.root.querySelectorAll("textarea")) grow(area);
    const next = this.nextRole();
    this.find(".add").textContent = `+ Add ${ROLE_NAMES[next].toLowerCase()} turn`;
    this.showCount();
    if (focusOn !== null) list.children[focusOn]?.querySelector("textarea")?.focus();
  }

  drawTurn(index) {
    const turn = this.turns[index];
    const scored = index === this.turns.length - 1 && turn.role === "assistant";
    const name = scored ? "Response" : `${ROLE_NAMES[turn.role]} turn ${index + 1}`;
    const box = element("div", { className: scored ? "turn scored" : "turn" });
    box.dataset.role = turn.role;
    const head = element("div", { className: "head" });
    const select = element("select", { ariaLabel: `Role of turn ${index + 1}` });
    for (const role of ROLES) {
      select.append(element("option", { value: role, textContent: ROLE_NAMES[role] }));
    }
    select.value = turn.role;
    select.onchange = () => {
      turn.role = select.value;
      this.restructured(index);
    };
    const hint = scored ? "· the response: this turn gets the reward" : "";
    const area = element("textarea", {
      className: "text",
      ariaLabel: name,
      dir: "auto",
      spellcheck: false,
      rows: 1,
      placeholder: placeholder(turn.role, scored),
      value: turn.content,
    });
    this.listen(area, (value) => {
      turn.content = value;
    });
    head.append(
      select,
      element("span", { className: "hint", textContent: hint }),
      this.drawTools(index),
    );
    box.append(head, area);
    return box;
  }

  drawTools(index) {
    const tools = element("span", { className: "tools" });
    const move = (by) => () => {
      const [turn] = this.turns.splice(index, 1);
      this.turns.splice(index + by, 0, turn);
      this.restructured(index + by);
    };
    const remove = () => {
      this.turns.splice(index, 1);
      this.restructured(null);
    };
    const last = this.turns.length - 1;
    tools.append(
      toolButton("up", `Move turn ${index + 1} up`, index === 0, move(-1)),
      toolButton("down", `Move turn ${index + 1} down`, index === last, move(1)),
      toolButton("remove", `Remove turn ${index + 1}`, last === 0, remove),
    );
    return tools;
  }

  addTurn() {
    this.turns.push({ role: this.nextRole(), content: "" });
    this.restructured(this.turns.length - 1);
  }

  nextRole() {
    return this.turns.at(-1)?.role === "user" ? "assistant" : "user";
  }

  restructured(focusOn) {
    this.draw(focusOn);
    this.changed();
  }

  // ---- turns or raw

  switchMode(mode) {
    if (mode === this.mode) return;
    if (mode === "raw") {
      this.raw.value = JSON.stringify(this.turns, null, 2);
    } else {
      const { messages, problem } = readMessages(this.raw.value);
      if (problem) {
        this.showProblem(problem);
        return;
      }
      this.turns = messages;
    }
    this.showMode(mode);
    this.draw();
    this.changed();
  }

  showMode(mode) {
    this.mode = mode;
    this.find(".turns").hidden = mode !== "turns";
    this.find(".raw").hidden = mode !== "raw";
    this.find(".add").hidden = mode !== "turns";
    for (const button of this.root.querySelectorAll(".mode")) {
      button.ariaPressed = String(button.dataset.mode === mode);
    }
    grow(this.raw);
  }

  // ---- what is said about it

  showProblem(text) {
    const line = this.find(".problem");
    line.hidden = !text;
    line.textContent = text ?? "";
  }

  showBusy() {
    const late = this.inFlight && performance.now() - this.inFlight.at >= BUSY_AFTER_MS - 10;
    const busy = Boolean(late);
    this.find(".live").classList.toggle("busy", busy);
    this.find(".live b").textContent = busy ? "reading your edit" : "live";
  }

  showCount() {
    const words = (this.turns.at(-1)?.content.match(/\S+/g) ?? []).length;
    const label = `${words.toLocaleString("en")} ${words === 1 ? "word" : "words"} in the response`;
    this.find(".count").textContent = this.mode === "turns" ? label : "";
  }
}

function readMessages(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { problem: `Still not JSON, so it stays here: ${error.message}` };
  }
  const fits = (item) => ROLES.includes(item?.role) && typeof item?.content === "string";
  if (!Array.isArray(value) || !value.length || !value.every(fits)) {
    return { problem: "Expected a list of messages, each with a role and a content text." };
  }
  return { messages: value.map(({ role, content }) => ({ role, content })) };
}

function placeholder(role, scored) {
  if (scored) return "Write the response to score …";
  return role === "system" ? "Instructions to the assistant …" : "What this turn says …";
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function toolButton(icon, label, disabled, action) {
  const button = element("button", { type: "button", title: label, ariaLabel: label, disabled });
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[icon]);
  svg.append(path);
  button.append(svg);
  button.onclick = action;
  return button;
}

// Grows a text area with its text; its maximum height is the style sheet's.
function grow(area) {
  const scroll = area.scrollTop;
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight}px`;
  area.scrollTop = scroll;
}

export default function (component) {
  const { parentElement, data, setStateValue } = component;
  let editor = editors.get(parentElement);
  if (!editor) {
    editor = new Editor(parentElement);
    editors.set(parentElement, editor);
  }
  editor.receive(data, setStateValue);
  return () => {
    editor.stop();
    editors.delete(parentElement);
  };
}
