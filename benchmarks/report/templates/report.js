"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];

// Light and dark: the system's choice until the button is pressed.
document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
all(".filters").forEach((filters) => { filters.hidden = false; });

// The table: a click on a heading sorts, a second one turns the order; what has no figure comes last.
const table = document.getElementById("figures");
const valueOf = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.value ?? cell.textContent.trim();
  return text === "" || text === "-" ? null : isNaN(text) ? text : Number(text);
};
all("thead th", table).forEach((heading, column) => {
  heading.querySelector("button").addEventListener("click", () => {
    const down = heading.getAttribute("aria-sort") === "ascending";
    all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = all("tbody tr", table).sort((a, b) => {
      const [x, y] = [valueOf(a, column), valueOf(b, column)];
      if (x === null || y === null) return (x === null) - (y === null);
      const order = typeof x === "number" && typeof y === "number" ? x - y : String(x).localeCompare(String(y));
      return down ? -order : order;
    });
    table.tBodies[0].append(...rows);
  });
});
const filters = all("select[data-column]");
const filter = () => all("tbody tr", table).forEach((row) => {
  row.hidden = filters.some((one) => one.value && row.dataset[one.dataset.column] !== one.value);
});
filters.forEach((one) => one.addEventListener("change", filter));
const first = filters.find((one) => one.dataset.column === "scenario");
if (first) { first.selectedIndex = 1; filter(); } // one scenario at a time reads better; print has all

// Before and after.
const gallery = document.getElementById("gallery");
if (gallery) {
  const data = JSON.parse(document.getElementById("gallery-data").textContent);
  const value = (name) => gallery.querySelector(`select[name="${name}"]`)?.value;
  const divider = gallery.querySelector(".divider");
  divider.querySelector("input").addEventListener("input", (event) => {
    divider.style.setProperty("--at", `${event.target.value}%`);
  });
  const show = (selector, place) => {
    const image = gallery.querySelector(selector);
    if (image) image.src = data.uris[place];
  };
  const update = () => {
    const [variant, picture, beside] = [value("variant"), Number(value("picture")), value("beside") ?? "photos"];
    show(".after", data.paintings[variant][picture]);
    show(".before", data[beside][picture]);
    show(".error", data.errors[variant]?.[picture]);
    all(".shown", gallery).forEach((one) => { one.textContent = variant; });
    gallery.querySelector(".beside").textContent = beside === "photos" ? "The photograph" : "The FP32 reference";
  };
  all("select", gallery).forEach((one) => one.addEventListener("change", update));
}
