"use strict";
// Draws the report: unpacks its data, fills the tables, starts plotly.js. Every text of the data
// becomes a text node, never markup.
(() => {
  const PAGE_ROWS = 50; // as in tables.py
  const FOLD_CHARACTERS = 110; // as in tables.py
  const nonce = document.currentScript.nonce;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  async function unpack(id) {
    const packed = document.getElementById(id).textContent.trim();
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Response(stream).text();
  }

  function make(name, properties = {}, ...children) {
    const element = Object.assign(document.createElement(name), properties);
    element.append(...children);
    return element;
  }

  function save(href, name) {
    const link = make("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
  }

  // ---- Tables ----------------------------------------------------------------------------------

  function showNumber(value) {
    if (value === "inf") return "∞";
    if (value === "-inf") return "−∞";
    if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
    const size = Math.abs(value);
    if (size < 1e-4 || size >= 1e6) return value.toExponential(3).replace("e+", "e");
    return value.toFixed(Math.max(0, 3 - Math.floor(Math.log10(size))));
  }

  function cell(value, kind) {
    const element = make("td", { className: kind });
    if (value === null) {
      element.append(make("span", {}, "–"));
    } else if (kind === "number") {
      const text = showNumber(value);
      if (text !== String(value)) element.title = String(value);
      element.append(make("span", {}, text));
    } else {
      element.append(foldable(value));
    }
    return element;
  }

  function foldable(text) {
    const line = text.split("\n", 1)[0];
    // By characters and not by their halves, as Python counts.
    const beginning = [...line.slice(0, 2 * FOLD_CHARACTERS)].slice(0, FOLD_CHARACTERS).join("");
    if (beginning === text) return make("span", { dir: "auto" }, text);
    return make(
      "details",
      {},
      make("summary", { dir: "auto" }, beginning.trimEnd() + " …"),
      make("div", { className: "whole", dir: "auto" }, text),
    );
  }

  function asNumber(value) {
    return value === "inf" ? Infinity : value === "-inf" ? -Infinity : value;
  }

  class DataTable {
    constructor(root, content) {
      this.root = root;
      this.columns = content.columns.map((column) => ({
        name: column.name,
        kind: column.kind,
        values: column.values ?? column.places.map((place) => column.texts[place]),
      }));
      this.all = Array.from({ length: content.rows }, (_, row) => row);
      this.rows = this.all;
      this.page = 0;
      this.sorted = { place: -1, descending: false };
      this.needle = "";
      this.listen();
      this.render();
    }

    listen() {
      this.headers = [...this.root.querySelectorAll("th")];
      this.headers.forEach((header, place) => {
        const button = header.querySelector("button");
        button.disabled = false;
        button.addEventListener("click", () => this.sort(place));
      });
      const search = this.root.querySelector("input[type=search]");
      let waiting = 0;
      search?.addEventListener("input", () => {
        clearTimeout(waiting);
        waiting = setTimeout(() => this.search(search.value), 150);
      });
      this.root.querySelector(".save").addEventListener("click", () => this.saveCsv());
      this.root.querySelector(".previous").addEventListener("click", () => this.turn(-1));
      this.root.querySelector(".next").addEventListener("click", () => this.turn(1));
      this.root.querySelector(".tools").hidden = false;
    }

    // Once ascending, once descending, then as it came.
    sort(place) {
      const { place: before, descending } = this.sorted;
      if (before !== place) this.sorted = { place, descending: false };
      else if (!descending) this.sorted = { place, descending: true };
      else this.sorted = { place: -1, descending: false };
      this.arrange();
    }

    search(needle) {
      this.needle = needle.trim().toLowerCase();
      this.arrange();
    }

    arrange() {
      const { needle } = this;
      const found = !needle
        ? [...this.all]
        : this.all.filter((row) =>
            this.columns.some((column) => {
              const value = column.values[row];
              return value !== null && String(value).toLowerCase().includes(needle);
            }),
          );
      if (this.sorted.place >= 0) found.sort(this.order());
      this.rows = found;
      this.page = 0;
      this.headers.forEach((header, place) => {
        if (place !== this.sorted.place) header.removeAttribute("aria-sort");
        else header.setAttribute("aria-sort", this.sorted.descending ? "descending" : "ascending");
      });
      this.render();
    }

    order() {
      const { values, kind } = this.columns[this.sorted.place];
      const sign = this.sorted.descending ? -1 : 1;
      const compare =
        kind === "number"
          ? (a, b) => Math.sign(asNumber(a) - asNumber(b)) || 0
          : (a, b) => collator.compare(a, b);
      return (first, second) => {
        const [a, b] = [values[first], values[second]];
        // What is missing comes last either way.
        if (a === null || b === null) return (a === null) - (b === null);
        return sign * compare(a, b);
      };
    }

    turn(step) {
      this.page += step;
      this.render();
      this.root.querySelector(".scroll").scrollTop = 0;
    }

    render() {
      const first = this.page * PAGE_ROWS;
      const shown = this.rows.slice(first, first + PAGE_ROWS);
      const lines = shown.map((row) =>
        make("tr", {}, ...this.columns.map(({ values, kind }) => cell(values[row], kind))),
      );
      this.root.querySelector("tbody").replaceChildren(...lines);
      const count = this.rows.length.toLocaleString("en");
      const range = `${(first + 1).toLocaleString("en")} to ${(first + shown.length).toLocaleString("en")}`;
      this.root.querySelector(".status").textContent = shown.length
        ? `Rows ${range} of ${count}` + (this.needle ? " found" : "")
        : "No row found";
      this.root.querySelector(".previous").disabled = this.page === 0;
      this.root.querySelector(".next").disabled = first + PAGE_ROWS >= this.rows.length;
      this.root.querySelector(".pager").hidden = this.all.length <= PAGE_ROWS && !this.needle;
    }

    // The rows as they are now found and sorted, numbers in full.
    saveCsv() {
      const quote = (value) => (value === null ? "" : `"${String(value).replaceAll('"', '""')}"`);
      const field = (value, kind) => (kind === "number" && value !== null ? String(value) : quote(value));
      const lines = [this.columns.map(({ name }) => quote(name)).join(",")];
      for (const row of this.rows) {
        lines.push(this.columns.map(({ values, kind }) => field(values[row], kind)).join(","));
      }
      const file = new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" });
      const address = URL.createObjectURL(file);
      save(address, `${this.root.dataset.payload}.csv`);
      setTimeout(() => URL.revokeObjectURL(address), 60_000);
    }
  }

  async function fillTables() {
    for (const root of document.querySelectorAll(".table")) {
      new DataTable(root, JSON.parse(await unpack(root.dataset.payload)));
    }
  }

  // ---- Figures ---------------------------------------------------------------------------------

  function template(look, isDark) {
    const text = isDark ? "#e6e9f0" : "#1d2433";
    const grid = isDark ? "#2c3444" : "#e3e7ef";
    const axis = { gridcolor: grid, linecolor: grid, zerolinecolor: grid, automargin: true };
    const bars = { colorbar: { outlinewidth: 0 } };
    return {
      layout: {
        font: { color: text, family: getComputedStyle(document.body).fontFamily, size: 13 },
        colorway: look.colorway,
        colorscale: { sequential: look.sequential, sequentialminus: look.sequential, diverging: look.diverging },
        paper_bgcolor: "rgba(0,0,0,0)",
        plot_bgcolor: "rgba(0,0,0,0)",
        hoverlabel: { align: "left" },
        xaxis: axis,
        yaxis: axis,
        coloraxis: bars,
        scene: { xaxis: { gridcolor: grid }, yaxis: { gridcolor: grid }, zaxis: { gridcolor: grid } },
      },
      data: { heatmap: [{ ...bars, colorscale: look.sequential }] },
    };
  }

  // The text of a title in which Plotly reads some markup; what is parsed here is never shown or run.
  function plain(title) {
    return new DOMParser().parseFromString(title, "text/html").body.textContent;
  }

  class Drawing {
    constructor(root, content, look) {
      this.place = root.querySelector(".drawing");
      this.name = root.dataset.name;
      this.content = content;
      this.look = look;
      for (const button of root.querySelectorAll("button[data-format]")) {
        button.addEventListener("click", () => this.savePicture(button.dataset.format));
      }
    }

    // Plotly changes what it is given, hence the copies.
    parts(isDark) {
      const { data, layout } = structuredClone(this.content);
      return { data, layout: { ...layout, template: template(this.look, isDark) } };
    }

    async draw() {
      const { data, layout } = this.parts(dark.matches);
      const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["toImage"] };
      window.Plotly.purge(this.place);
      this.place.replaceChildren();
      await window.Plotly.newPlot(this.place, data, layout, config);
      const title = this.place.layout.title?.text;
      if (title) this.place.setAttribute("aria-label", `Figure: ${plain(title)}`);
      this.place.nextElementSibling.hidden = false;
    }

    // Pictures are for paper: on white, whatever the screen looks like.
    async savePicture(format) {
      const { data, layout } = this.parts(false);
      const { width, height } = this.place._fullLayout;
      const picture = { data, layout: { ...layout, width, height, paper_bgcolor: "#ffffff" } };
      const scale = format === "png" ? 2 : 1;
      const address = await window.Plotly.toImage(picture, { format, width, height, scale });
      save(address, `${this.name}.${format}`);
    }
  }

  async function drawFigures() {
    const roots = [...document.querySelectorAll("figure")];
    if (!roots.length) return;
    try {
      const look = JSON.parse(await unpack("look"));
      const contents = JSON.parse(await unpack("drawings"));
      const script = make("script", { nonce, textContent: await unpack("plotly") });
      document.head.append(script);
      script.remove(); // so that a saved page does not hold it twice
      if (!window.Plotly) throw new Error("plotly.js did not start");
      const drawings = roots.map((root) => new Drawing(root, contents[root.dataset.place], look));
      for (const drawing of drawings) await drawing.draw();
      dark.addEventListener("change", async () => {
        for (const drawing of drawings) await drawing.draw();
      });
    } catch (error) {
      for (const waiting of document.querySelectorAll(".waiting")) {
        waiting.textContent = `This figure could not be drawn: ${error.message}`;
      }
      throw error;
    }
  }

  function enableCopy() {
    for (const button of document.querySelectorAll(".copy")) {
      button.hidden = false;
      button.addEventListener("click", async () => {
        const code = button.nextElementSibling;
        try {
          await navigator.clipboard.writeText(code.textContent);
          button.textContent = "Copied";
          setTimeout(() => (button.textContent = "Copy"), 1500);
        } catch {
          // Without leave to write to the clipboard: selected, to be copied by hand.
          getSelection().selectAllChildren(code);
        }
      });
    }
  }

  function report(error) {
    const line = document.querySelector(".problem");
    line.hidden = false;
    line.textContent =
      typeof DecompressionStream === "undefined"
        ? "This browser is too old to unpack the report: it needs one of 2023 or later " +
          "(Chrome 80, Firefox 113, Safari 16.4). The first rows of each table are below."
        : `Part of this report could not be shown: ${error.message}`;
    console.error(error);
  }

  enableCopy();
  fillTables().catch(report).then(drawFigures).catch(report);
})();
