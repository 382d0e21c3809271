"use strict";
/* The gallery: filters, order, pages, thumbnails out of sprite sheets. All texts are set as text. */
const data = JSON.parse(document.getElementById("data").textContent);
const $ = (id) => document.getElementById(id);
const PAGE = 48;
const count = data.id.length;
const figureNames = Object.keys(data.figures);
const state = { rows: [], page: 0 };

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

const wordOf = (column, row) => data.words[column][data[column][row]];
const reasonOf = (row) => data.reason[row] || "";
const figureOf = (name, row) => data.figures[name][row];
const whole = (number) => number.toLocaleString("en-US");

/* Where a picture is, as the output's own rules say; "" if it is not there. */
function linkOf(row, name) {
  const place = data.names.indexOf(name);
  const code = Math.floor(data.pictures[row] / 4 ** place) % 4;
  if (!code || data.base === null) return "";
  const path = code === 3 ? data.paths[row][name] : usualPath(row, name, code);
  return "./" + data.base + path.split("/").map(encodeURIComponent).join("/");
}

function usualPath(row, name, code) {
  const [item, defect, id] = [wordOf("object", row), wordOf("defect", row), data.id[row]];
  const extra = (kind) => `extras/${id}_${kind}.png`;
  if (name === "result") return wordOf("status", row) === "ok" ? `${item}/test/${defect}/${id}.png` : extra("rejected");
  if (name === "good") return extra("source");
  if (name === "trimap" || name === "blended") return extra(name);
  return code === 1 ? extra(`${name}_mask`) : `${item}/ground_truth/${defect}/${id}_mask.png`;
}

const hasPicture = (row, name) => Math.floor(data.pictures[row] / 4 ** data.names.indexOf(name)) % 4 > 0;

/* Sprite sheets become blobs when they are first shown. */
const sheets = new Map();
function sheetUrl(kind, number) {
  const id = `${kind}-${number}`;
  if (!sheets.has(id)) {
    const bytes = Uint8Array.from(atob($(id).textContent), (letter) => letter.charCodeAt(0));
    const type = kind === "pictures" ? "image/webp" : "image/png";
    sheets.set(id, URL.createObjectURL(new Blob([bytes], { type })));
  }
  return `url("${sheets.get(id)}")`;
}

function placeSprite(element, kind, tile) {
  const inSheet = tile % data.each;
  const [row, column] = [Math.floor(inSheet / data.across), inSheet % data.across];
  const step = 100 / (data.across - 1);
  element.style.backgroundImage = sheetUrl(kind, Math.floor(tile / data.each));
  element.style.backgroundSize = `${data.across * 100}%`;
  element.style.backgroundPosition = `${column * step}% ${row * step}%`;
}

function fillTile(element, row) {
  element.replaceChildren();
  element.style.backgroundImage = "";
  const tile = data.tile[row];
  const link = tile < 0 ? linkOf(row, "result") : "";
  if (tile >= 0) {
    placeSprite(element, "pictures", tile);
    const outline = element.appendChild(make("span", "outline"));
    placeSprite(outline, "outlines", tile);
  } else if (link) {
    const image = element.appendChild(make("img"));
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    image.addEventListener("error", () => image.replaceWith(make("span", "nothing", "picture not found")));
    image.src = link;
  } else {
    const why = hasPicture(row, "result") ? "no thumbnail" : reasonOf(row) || "no picture kept";
    element.append(make("span", "nothing", why));
  }
}

function card(row, note) {
  const button = make("button", note ? "card noted" : "card");
  button.type = "button";
  button.dataset.row = row;
  const status = wordOf("status", row);
  const kind = data.words.object.length > 1 ? `${wordOf("object", row)}, ${wordOf("defect", row)}` : wordOf("defect", row);
  fillTile(button.appendChild(make("span", "tile")), row);
  const what = button.appendChild(make("span", "what"));
  const dot = make("i", "dot");
  dot.classList.add(["ok", "rejected", "failed"].includes(status) ? status : "other");
  dot.title = status;
  what.append(dot, kind);
  button.appendChild(make("span", note ? "which" : "which tail")).append(make("bdi", "", note || data.id[row]));
  button.setAttribute("aria-label", `${kind}, ${status}, ${data.id[row]}${note ? ", " + note : ""}`);
  button.title = data.id[row];
  const item = make("li");
  item.append(button);
  return item;
}

/* Filters. */
function addOptions(select, texts, values) {
  texts.forEach((text, at) => {
    const option = make("option", "", text);
    option.value = values ? values[at] : at;
    select.append(option);
  });
}

function rangesOf() {
  return [...document.querySelectorAll("#f-ranges fieldset")].map((field) => {
    const [low, high] = field.querySelectorAll("input");
    return { name: field.dataset.name, low: low.value, high: high.value };
  }).filter((range) => range.low !== "" || range.high !== "");
}

function chosenRows() {
  const wanted = ["object", "defect", "status"].map((column) => [data[column], $(`f-${column}`).value])
    .filter(([, value]) => value !== "").map(([values, value]) => [values, Number(value)]);
  const ranges = rangesOf();
  const text = $("f-text").value.trim().toLowerCase();
  const prompts = data.words.prompt.map((prompt) => text !== "" && prompt.toLowerCase().includes(text));
  const rows = [];
  for (let row = 0; row < count; row += 1) {
    if (!wanted.every(([values, value]) => values[row] === value)) continue;
    if (!ranges.every((range) => isWithin(figureOf(range.name, row), range))) continue;
    if (text && !prompts[data.prompt[row]] && !data.id[row].toLowerCase().includes(text)
      && !reasonOf(row).toLowerCase().includes(text)) continue;
    rows.push(row);
  }
  $("f-active").textContent = ranges.length ? `(${ranges.length} set)` : "";
  return ordered(rows);
}

function isWithin(value, range) {
  if (value === null) return false;
  return (range.low === "" || value >= Number(range.low)) && (range.high === "" || value <= Number(range.high));
}

function ordered(rows) {
  const [name, direction] = $("f-order").value.split(":");
  if (name === "") return rows;
  if (name === "id") return rows.sort((a, b) => (data.id[a] < data.id[b] ? -1 : 1));
  const values = data.figures[name];
  const sign = direction === "up" ? 1 : -1;
  const last = (row) => (values[row] === null ? 1 : 0);
  return rows.sort((a, b) => last(a) - last(b) || sign * (values[a] - values[b]) || a - b);
}

function noteOf(row) {
  const name = $("f-order").value.split(":")[0];
  if (!(name in data.figures)) return "";
  const value = figureOf(name, row);
  return `${name} ${value === null ? "–" : value}`;
}

function filter() {
  state.rows = chosenRows();
  state.page = 0;
  show();
}

function show() {
  const pages = Math.max(1, Math.ceil(state.rows.length / PAGE));
  state.page = Math.min(Math.max(0, state.page), pages - 1);
  const first = state.page * PAGE;
  const rows = state.rows.slice(first, first + PAGE);
  $("cards").replaceChildren(...rows.map((row) => card(row, noteOf(row))));
  const shown = rows.length ? `${whole(first + 1)}–${whole(first + rows.length)} of ${whole(state.rows.length)}` : "none";
  $("f-count").textContent = state.rows.length === count ? shown : `${shown} that match (${whole(count)} in all)`;
  $("pager").hidden = pages === 1;
  $("page-count").textContent = whole(pages);
  $("page-number").value = state.page + 1;
  $("page-number").max = pages;
  $("page-before").disabled = state.page === 0;
  $("page-next").disabled = state.page === pages - 1;
}

function turn(page) {
  state.page = page;
  show();
  $("f-count").scrollIntoView({ block: "center" });
}

/* Arrow keys move between cards. */
function moveFocus(event) {
  const cards = [...event.currentTarget.querySelectorAll(".card")];
  const at = cards.indexOf(document.activeElement);
  if (at < 0) return;
  const across = cards.filter((one) => one.offsetTop === cards[0].offsetTop).length;
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -across, ArrowDown: across, Home: -at, End: cards.length - 1 - at };
  const next = cards[at + steps[event.key]];
  if (next) {
    next.focus();
    event.preventDefault();
  }
}

function setUpGallery() {
  for (const column of ["object", "defect", "status"]) {
    const words = data.words[column];
    const order = words.map((_, at) => at).sort((a, b) => (words[a] < words[b] ? -1 : 1));
    addOptions($(`f-${column}`), order.map((at) => words[at]), order);
  }
  addOptions($("f-order"), ["request"], ["id"]);
  for (const name of figureNames) {
    addOptions($("f-order"), [`${name}, lowest first`, `${name}, highest first`], [`${name}:up`, `${name}:down`]);
    addRange(name);
  }
  $("f-figures").hidden = figureNames.length === 0;
  $("filters").addEventListener("input", (event) => {
    if (event.target.tagName === "INPUT" && event.target !== $("f-outline")) filter();
  });
  $("filters").addEventListener("change", (event) => {
    if (event.target === $("f-outline")) document.body.classList.toggle("outlined", event.target.checked);
    else if (event.target.tagName === "SELECT") filter();
  });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("filters").addEventListener("reset", () => setTimeout(() => {
    document.body.classList.remove("outlined");
    filter();
  }));
  $("page-before").addEventListener("click", () => turn(state.page - 1));
  $("page-next").addEventListener("click", () => turn(state.page + 1));
  $("page-number").addEventListener("change", (event) => {
    if (event.target.value !== "") turn((Number(event.target.value) || 1) - 1);
  });
  for (const [id, some] of Object.entries(data.close)) {
    if ($(id)) $(id).append(...some.map((one) => card(one.at, one.note)));
  }
  for (const list of document.querySelectorAll(".cards")) {
    list.addEventListener("keydown", moveFocus);
    list.addEventListener("click", (event) => {
      const found = event.target.closest(".card");
      if (found) openPair(Number(found.dataset.row), list);
    });
  }
  filter();
}

function addRange(name) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of data.figures[name]) {
    if (value === null) continue;
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const field = make("fieldset");
  field.dataset.name = name;
  const limit = data.limits.find((one) => one.figure === name);
  field.append(make("legend", "", limit ? `${name} (limit ${limit.sign})` : name));
  [["from", low], ["to", high]].forEach(([word, value], at) => {
    const input = make("input");
    input.type = "number";
    input.step = "any";
    input.placeholder = value;
    input.setAttribute("aria-label", `${name} ${word}`);
    if (at) field.append(make("span", "muted", "to"));
    field.append(input);
  });
  field.title = data.legend[name] || "";
  $("f-ranges").append(field);
}
