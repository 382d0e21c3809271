/* One pair: a slider between two of its pictures, masks over them, full resolution on a click. */
const viewer = $("viewer");
const seen = { row: -1, rows: [], left: "good", right: "result", zoomed: false, pushed: false, came: null };
const NAMES = { good: "good picture", result: "result", asked: "asked mask", refined: "refined mask", trimap: "trimap", blended: "before adaptation" };

function openPair(row, list) {
  seen.came = document.activeElement;
  seen.rows = list && list.id !== "cards" ? data.close[list.id].map((one) => one.at) : state.rows;
  seen.pushed = true;
  location.hash = `pair=${encodeURIComponent(data.id[row])}`;
  showPair(row);
}

function showPair(row) {
  seen.row = row;
  const status = wordOf("status", row);
  $("v-title").textContent = data.id[row];
  $("v-sub").textContent = `${wordOf("object", row)}, ${wordOf("defect", row)}, ${status}`;
  $("v-reason").textContent = reasonOf(row) ? `Why: ${reasonOf(row)}` : "";
  showPictures(row);
  showFacts(row);
  const at = seen.rows.indexOf(row);
  $("v-before").disabled = at <= 0;
  $("v-next").disabled = at < 0 || at === seen.rows.length - 1;
  if (!viewer.open) {
    viewer.showModal();
    document.documentElement.style.overflow = "hidden";
    ($("v-slider").closest("[hidden]") ? $("v-close") : $("v-slider")).focus();
  }
  fit();
}

function showPictures(row) {
  const there = data.names.filter((name) => linkOf(row, name));
  for (const [side, other] of [["left", "good"], ["right", "result"]]) {
    const select = $(`v-${side}-name`);
    select.replaceChildren();
    addOptions(select, there.map((name) => NAMES[name]), there);
    select.value = there.includes(seen[side]) ? seen[side] : there.includes(other) ? other : there[0] || "";
    select.disabled = there.length < 2;
  }
  const reachable = there.length > 0;
  for (const part of document.querySelectorAll(".v-controls")) part.hidden = !reachable;
  $("stage").hidden = !reachable && !hasPicture(row, "result");
  $("frame").hidden = !reachable;
  $("v-tile").hidden = reachable;
  $("v-note").textContent = reachable ? "" : hasPicture(row, "result")
    ? "The full pictures cannot be reached from this page; this is the thumbnail." : "No picture of this request was kept.";
  if (!reachable) fillTile($("v-tile"), row);
  for (const name of ["asked", "refined"]) {
    $(`v-${name}-label`).hidden = !there.includes(name);
    setTint(name);
  }
  $("v-links").replaceChildren(...there.map((name) => {
    const link = make("a", "", NAMES[name]);
    link.href = linkOf(row, name);
    link.target = "_blank";
    link.rel = "noopener";
    return link;
  }));
  if (reachable) ["left", "right"].forEach(setSide);
  slide(Math.round(100 * middle()[0]));
}

function setSide(side) {
  const image = $(`v-${side}`);
  const name = $(`v-${side}-name`).value;
  const link = linkOf(seen.row, name);
  if (image.getAttribute("src") !== link) image.src = link;
  image.alt = `${side}: ${NAMES[name]}`;
}

function setTint(name) {
  const wanted = $(`v-${name}`).checked && linkOf(seen.row, name) !== "";
  const tint = $(`v-tint-${name}`);
  tint.hidden = !wanted;
  if (wanted) tint.querySelector("img").src = linkOf(seen.row, name);
}

function showFacts(row) {
  const lines = figureNames.filter((name) => figureOf(name, row) !== null).map((name) => {
    const line = make("tr");
    const limit = data.limits.find((one) => one.figure === name);
    const value = figureOf(name, row);
    const missed = reasonOf(row).split("; ").some((part) => part.startsWith(`${name} `));
    line.append(make("th", "", name), make("td", missed ? "n beyond" : "n", String(value)), make("td", "muted n", limit ? limit.sign : ""));
    line.title = data.legend[name] || "";
    return line;
  });
  $("v-figures").replaceChildren(...lines);
  const facts = [["Prompt", wordOf("prompt", row)], ["Seed", data.seed[row]]].filter(([, text]) => text);
  $("v-facts").replaceChildren(...facts.flatMap(([name, text]) => [make("dt", "", name), make("dd", "", text)]));
}

/* The frame fills the stage; at full resolution a pixel of the picture is one of the screen, and a
   small picture is enlarged. */
function fit() {
  const image = $("v-right");
  const [width, height] = [image.naturalWidth, image.naturalHeight];
  if (!width || $("frame").hidden) return;
  const stage = $("stage");
  const most = parseFloat(getComputedStyle(stage).maxHeight) || innerHeight;
  const room = Math.min(stage.clientWidth / width, most / height);
  const full = Math.max(1 / devicePixelRatio, room < 1 / devicePixelRatio ? 0 : Math.ceil(room) + 1);
  const scale = seen.zoomed ? full : room;
  $("frame").style.width = `${Math.floor(width * scale)}px`;
  $("frame").style.height = `${Math.floor(height * scale)}px`;
  $("frame").classList.toggle("crisp", scale * devicePixelRatio >= 1);
  stage.classList.toggle("zoomed", seen.zoomed);
  $("v-zoom").setAttribute("aria-pressed", String(seen.zoomed));
  $("v-zoom").textContent = seen.zoomed ? "Whole picture" : "Full resolution";
  $("v-note").textContent = `${width} × ${height} pixels${seen.zoomed ? `, shown at ${Math.round(100 * scale * devicePixelRatio)} %` : ""}`;
}

function zoom(x, y) {
  const frame = $("frame").getBoundingClientRect();
  const [across, down] = x === undefined ? middle() : [(x - frame.left) / frame.width, (y - frame.top) / frame.height];
  seen.zoomed = !seen.zoomed;
  fit();
  const stage = $("stage");
  stage.scrollLeft = across * stage.scrollWidth - stage.clientWidth / 2;
  stage.scrollTop = down * stage.scrollHeight - stage.clientHeight / 2;
}

/* Of the defect, where a thumbnail was made of it; the slider begins there. */
function middle() {
  const found = data.centre[data.tile[seen.row]];
  return found ? found.map((thousandths) => thousandths / 1000) : [0.5, 0.5];
}

function slide(value) {
  const at = Math.min(100, Math.max(0, value));
  $("v-slider").value = at;
  $("v-right").style.clipPath = `inset(0 0 0 ${at}%)`;
  $("v-divider").style.left = `${at}%`;
}

function step(by) {
  const next = seen.rows[seen.rows.indexOf(seen.row) + by];
  if (next === undefined) return;
  history.replaceState(null, "", `#pair=${encodeURIComponent(data.id[next])}`);
  showPair(next);
}

function closePair() {
  if (seen.pushed) history.back();
  else {
    history.replaceState(null, "", "#gallery");
    viewer.close();
  }
}

function followHash() {
  const found = /^#pair=(.*)$/.exec(location.hash);
  if (!found) {
    if (viewer.open) viewer.close();
    return;
  }
  const row = data.id.indexOf(decoded(found[1]));
  if (row < 0 || row === seen.row && viewer.open) return;
  seen.rows = state.rows;
  showPair(row);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

/* Dragging slides, or moves the enlarged picture; a click without a drag changes the scale. */
const drag = { from: null, top: 0, moved: false };
function onDrag(event) {
  if (event.type === "pointerdown" && event.button === 0) Object.assign(drag, { from: event.clientX, top: event.clientY, moved: false });
  if (event.type === "pointermove" && drag.from !== null && event.buttons) {
    drag.moved = drag.moved || Math.hypot(event.clientX - drag.from, event.clientY - drag.top) > 5;
    const frame = $("frame").getBoundingClientRect();
    if (drag.moved && !seen.zoomed) slide((100 * (event.clientX - frame.left)) / frame.width);
    if (drag.moved && seen.zoomed && event.pointerType === "mouse") $("stage").scrollBy(-event.movementX, -event.movementY);
  }
  if (event.type === "click") {
    if (!drag.moved) zoom(event.clientX, event.clientY);
    drag.from = null;
  }
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const keys = { n: () => step(1), p: () => step(-1), f: () => zoom(), m: toggleMasks };
  const action = keys[event.key.toLowerCase()];
  if (action && event.target.tagName !== "SELECT") {
    action();
    event.preventDefault();
  }
}

function toggleMasks() {
  const on = !["asked", "refined"].some((name) => $(`v-${name}`).checked);
  for (const name of ["asked", "refined"]) {
    $(`v-${name}`).checked = on;
    setTint(name);
  }
}

function setUpViewer() {
  for (const side of ["left", "right"]) {
    $(`v-${side}-name`).addEventListener("change", (event) => {
      seen[side] = event.target.value;
      setSide(side);
    });
    $(`v-${side}`).addEventListener("load", fit);
    $(`v-${side}`).addEventListener("error", () => {
      $("frame").hidden = true;
      $("v-tile").hidden = false;
      fillTile($("v-tile"), seen.row);
      $("v-note").textContent = "A full picture was not found: was the page moved away from its output?";
    });
  }
  for (const name of ["asked", "refined"]) $(`v-${name}`).addEventListener("change", () => setTint(name));
  for (const kind of ["pointerdown", "pointermove", "click"]) $("frame").addEventListener(kind, onDrag);
  $("v-slider").addEventListener("input", (event) => slide(Number(event.target.value)));
  $("v-zoom").addEventListener("click", () => zoom());
  $("v-before").addEventListener("click", () => step(-1));
  $("v-next").addEventListener("click", () => step(1));
  $("v-close").addEventListener("click", closePair);
  viewer.addEventListener("keydown", onKey);
  viewer.addEventListener("cancel", (event) => {
    event.preventDefault();
    closePair();
  });
  viewer.addEventListener("click", (event) => {
    if (event.target === viewer) closePair();
  });
  viewer.addEventListener("close", () => {
    document.documentElement.style.overflow = "";
    seen.zoomed = false;
    seen.pushed = false;
    if (seen.came) seen.came.focus();
  });
  addEventListener("resize", () => viewer.open && fit());
  addEventListener("hashchange", followHash);
  slide(50);
}

setUpViewer();
setUpGallery();
followHash();
