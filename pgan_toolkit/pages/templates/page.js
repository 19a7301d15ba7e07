"use strict";

// Tables: each heading becomes a button that sorts by its column, and back.
function orderOf(row, column) {
  const cell = row.cells[column];
  const number = cell.dataset.order;
  return number === undefined ? cell.textContent.trim() : Number(number);
}

function compare(one, other) {
  const numbers = [one, other].map((value) => typeof value === "number");
  if (numbers[0] && numbers[1]) return one - other;
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return one.localeCompare(other, undefined, { numeric: true });
}

function sortBy(table, heading) {
  const column = heading.cellIndex;
  const sign = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) {
    if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
  }
  heading.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  rows.sort((one, other) => sign * compare(orderOf(one, column), orderOf(other, column)));
  body.append(...rows);
}

for (const table of document.querySelectorAll("table[data-sortable]")) {
  for (const heading of table.tHead.querySelectorAll("th")) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, heading));
    heading.append(button);
    heading.setAttribute("aria-sort", "none");
  }
}

// Pictures: each is a button that shows it large. Esc closes, and the arrow keys go on.
const dialog = document.getElementById("enlarged");
const buttons = [...document.querySelectorAll("button.enlarge")];
let shown = 0;

function show(place) {
  shown = (place + buttons.length) % buttons.length;
  const picture = buttons[shown].querySelector("img");
  const large = dialog.querySelector("img");
  large.src = picture.src;
  large.alt = picture.alt;
  large.width = picture.naturalWidth;
  large.height = picture.naturalHeight;
  const name = document.createElement("bdi");
  name.textContent = picture.alt;
  const note = buttons[shown].closest("figure").querySelector("figcaption span");
  dialog.querySelector("figcaption").replaceChildren(name, note ? `: ${note.textContent}` : "");
}

buttons.forEach((button, place) => {
  button.setAttribute("aria-haspopup", "dialog");
  button.addEventListener("click", () => {
    show(place);
    dialog.showModal();
    dialog.querySelector("[data-close]").focus();
  });
});
dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => buttons[shown].focus());
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
for (const button of dialog.querySelectorAll("[data-step]")) {
  button.addEventListener("click", () => show(shown + Number(button.dataset.step)));
}
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowRight") show(shown + 1);
  if (event.key === "ArrowLeft") show(shown - 1);
});

// On paper nothing can be opened.
window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details")) details.open = true;
});
