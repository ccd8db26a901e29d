// What moves in the page: plots, the choice of a class, the table of rows, light and dark. Texts come into the page by
// textContent alone, and Vega evaluates its expressions by an interpreter, so that the page's policy allows no eval.
"use strict";

const page = JSON.parse(document.getElementById("data").textContent);
const views = new Map();
const FIRST_ROWS = 25;
let chosen = null;
let wholeTable = false;

const byId = (id) => document.getElementById(id);

function make(tag, text, attributes = {}) {
  const element = document.createElement(tag);
  if (text !== undefined && text !== null) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

// --- numbers and tables

function written(value, form) {
  if (value === null || value === undefined) return "—";
  if (form === "whole") return Math.round(value).toLocaleString("en");
  if (form === "share") return (100 * value).toFixed(2) + " %";
  if (form === "number") return String(Number(value.toPrecision(4)));
  return String(value);
}

function cell(row, field, [heading, form]) {
  const shown = form === "text" ? null : written(row[field], form);
  const made = make("td", shown, { "data-heading": heading });
  if (form !== "text") {
    made.className = "number";
    return made;
  }
  made.className = field;
  const whole = make("div");
  whole.append(make("bdi", written(row[field], form), { dir: "auto" }));
  if (field === "text" && row.n_chars) {
    whole.append(make("span", ` … cut; ${row.n_chars.toLocaleString("en")} characters in all`, { class: "cut" }));
  }
  made.append(whole);
  return made;
}

function table(rows, columns) {
  const made = make("table");
  const head = make("tr");
  for (const [heading, form] of Object.values(columns)) {
    head.append(make("th", heading, { scope: "col", class: form === "text" ? "" : "number" }));
  }
  const body = make("tbody");
  for (const row of rows) {
    const line = make("tr");
    for (const [field, column] of Object.entries(columns)) line.append(cell(row, field, column));
    body.append(line);
  }
  made.append(make("thead"), body);
  made.tHead.append(head);
  return made;
}

// --- plots

function tip(_handler, event, _item, value) {
  const box = byId("tip");
  box.hidden = value === null || value === undefined || value === "";
  if (box.hidden) return;
  const list = make("dl");
  for (const [name, shown] of Object.entries(value)) list.append(make("dt", name), make("dd", shown));
  box.replaceChildren(list);
  const { width, height } = box.getBoundingClientRect();
  const left = event.clientX + 14 + width > innerWidth ? event.clientX - 14 - width : event.clientX + 14;
  const top = event.clientY + 14 + height > innerHeight ? event.clientY - 14 - height : event.clientY + 14;
  box.style.left = `${Math.max(4, left)}px`;
  box.style.top = `${Math.max(4, top)}px`;
}

function ofChosen(figure) {
  if (figure.chosen_by === "of") return figure.rows.filter((row) => row.of === chosen);
  if (figure.chosen_by === "member" && chosen !== null) {
    return figure.rows.filter((row) => row.of === chosen || row.other === chosen);
  }
  return figure.rows;
}

function showNumbers(figure) {
  const box = byId(`figure-${figure.name}`);
  const rows = ofChosen(figure);
  box.querySelector(".empty").hidden = rows.length > 0;
  const details = box.querySelector("details");
  if (details.open) details.querySelector(".scroll").replaceChildren(table(rows, figure.columns));
}

function zoomed(view, figure, factor) {
  for (const [channel, field] of Object.entries(figure.zoom)) {
    if (factor === null) {
      view.signal(`zoom_${field}`, null);
      continue;
    }
    const [low, high] = view.scale(channel).domain().map(Number);
    const middle = (low + high) / 2;
    const half = ((high - low) / 2) * factor;
    view.signal(`zoom_${field}`, [middle - half, middle + half]);
  }
  view.runAsync();
}

function addTools(box, view, figure) {
  if (!Object.keys(figure.zoom).length) return;
  const tools = box.querySelector(".tools");
  for (const [sign, name, factor] of [["+", "Zoom in", 0.6], ["−", "Zoom out", 1 / 0.6], ["Whole", "Show the whole", null]]) {
    const button = make("button", sign, { type: "button", "aria-label": name, title: name });
    button.addEventListener("click", () => zoomed(view, figure, factor));
    tools.append(button);
  }
}

async function draw(figure) {
  const box = byId(`figure-${figure.name}`);
  const plot = box.querySelector(".plot");
  const spec = { ...figure.spec, datasets: { ...figure.spec.datasets, rows: figure.rows } };
  const options = { ast: true, renderer: "svg", actions: false, defaultStyle: false, tooltip: tip, config: page.config };
  box.querySelector("details").addEventListener("toggle", () => showNumbers(figure));
  const { view } = await vegaEmbed(plot, spec, options);
  views.set(figure.name, view);
  addTools(box, view, figure);
  if (figure.chosen_by === "member") {
    view.addEventListener("click", (_event, item) => {
      const of = item && item.datum && item.datum.of;
      if (Number.isInteger(of) && page.choices.includes(of)) choose(of === chosen ? null : of);
    });
  }
  showNumbers(figure);
}

function showUndrawn(figure, error) {
  const box = byId(`figure-${figure.name}`);
  const note = `This plot could not be drawn here (${error.message}). Its numbers are below.`;
  box.querySelector(".plot").replaceChildren(make("p", note, { class: "says", role: "note" }));
  box.querySelector("details").open = true;
}

// --- the choice of a class

function choose(of) {
  chosen = of;
  byId("class").value = of === null ? "" : String(of);
  for (const figure of page.figures) {
    if (!figure.chosen_by) continue;
    const view = views.get(figure.name);
    if (view) view.signal("chosen", chosen).runAsync();
    showNumbers(figure);
  }
  if (page.tables.length) showRows();
}

function prepareClasses() {
  if (page.choices.length < 2) return;
  const select = byId("class");
  select.append(make("option", "all", { value: "" }));
  for (const of of page.choices) select.append(make("option", page.classes[of], { value: String(of) }));
  select.addEventListener("change", () => choose(select.value === "" ? null : Number(select.value)));
  byId("choose").hidden = false;
}

// --- rows to look at

function wantedTable() {
  const picked = document.querySelector("input[name=kind]:checked");
  return page.tables.find((one) => one.name === picked.value);
}

function showRows() {
  const wanted = wantedTable();
  const words = byId("search").value.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  const rows = wanted.rows.filter((row) => {
    if (chosen !== null && row.of.length && !row.of.includes(chosen)) return false;
    const text = Object.keys(wanted.columns).map((field) => row[field] ?? "").join(" ").toLocaleLowerCase();
    return words.every((word) => text.includes(word));
  });
  byId("kind-says").textContent = wanted.says;
  byId("count").textContent = `${rows.length} of ${wanted.rows.length} rows`;
  const shown = wholeTable ? rows : rows.slice(0, FIRST_ROWS);
  byId("rows").replaceChildren(table(shown, wanted.columns));
  byId("more").hidden = shown.length === rows.length;
  byId("more").textContent = `Show all ${rows.length} rows`;
}

function showOther() {
  wholeTable = false;
  showRows();
}

function prepareRows() {
  if (!page.tables.length) return;
  for (const radio of document.querySelectorAll("input[name=kind]")) radio.addEventListener("change", showOther);
  byId("search").addEventListener("input", showRows);
  byId("more").addEventListener("click", () => {
    wholeTable = true;
    showRows();
  });
  showRows();
}

// --- light and dark

function prepareTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = byId("theme");
  const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
  const show = () => {
    button.setAttribute("aria-pressed", String(isDark()));
    button.textContent = isDark() ? "☀ Light" : "☾ Dark";
    button.setAttribute("aria-label", "Dark colours");
  };
  button.addEventListener("click", () => {
    document.documentElement.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  show();
}

async function start() {
  prepareTheme();
  prepareClasses();
  prepareRows();
  for (const figure of page.figures) {
    try {
      await draw(figure);
    } catch (error) {
      showUndrawn(figure, error);
    }
  }
  document.documentElement.dataset.ready = "yes";
}

start();
