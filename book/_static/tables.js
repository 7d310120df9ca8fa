/* Tables of the book: columns of numerals to the right, others to the left, a line between groups of columns,
 * the index's name beside the columns' names, no header cell without a word.
 * Without this script everything stands left. */
(() => {
  "use strict";
  const numeral = /^(?:[<>≈~]?\s*[-−+]?\d[\d,]*(?:\.\d+)?(?:e[-+−]?\d+)?\s*%?|–|nan|[-−]?inf)(?:\s*±\s*[\d.]+)?(?:\s*[[(][^\])]*[\])])?$/i;
  // Columns are counted from the right, since row headers may span rows.
  const place = (cell) => cell.parentElement.cells.length - cell.cellIndex;

  const isWide = (row) => [...row.cells].some((cell) => cell.colSpan > 1);

  /** pandas writes the index's name into a header row of its own: move it into the free cell above. */
  function liftIndexName(table) {
    const [above, last] = [...(table.tHead?.rows ?? [])].slice(-2);
    if (!last || isWide(above) || above.cells.length !== last.cells.length) return;
    const text = (cell) => cell.textContent.trim();
    if ([...last.cells].some((cell, i) => text(cell) && text(above.cells[i]))) return;
    [...last.cells].forEach((cell, i) => { if (text(cell)) above.cells[i].replaceChildren(...cell.childNodes); });
    last.remove();
  }

  /** pandas writes the empty corner as a header, which a screen reader would announce as one without a name. */
  function emptyHeaders(table) {
    for (const header of table.querySelectorAll("thead th")) {
      if (header.textContent.trim()) continue;
      const cell = document.createElement("td");
      for (const { name, value } of header.attributes) cell.setAttribute(name, value);
      header.replaceWith(cell);
    }
  }

  function arrange(table) {
    liftIndexName(table);
    emptyHeaders(table);
    const head = [...(table.tHead?.rows ?? [])];
    const body = [...(table.tBodies[0]?.rows ?? [])];
    const words = new Set();
    for (const cell of body.flatMap((row) => [...row.cells])) {
      if (!numeral.test(cell.textContent.trim())) words.add(place(cell));
    }
    for (const row of [...head, ...body]) {
      if (!isWide(row)) for (const cell of row.cells) cell.classList.toggle("numeral", !words.has(place(cell)));
    }
    const groups = head.find(isWide);
    if (!groups) return;
    const starts = new Set();
    let right = 0;
    for (const cell of [...groups.cells].reverse()) {
      right += cell.colSpan;
      if (cell.textContent.trim()) {
        starts.add(right);
        cell.classList.add("group-start");
      }
    }
    for (const row of [...head, ...body]) {
      if (row !== groups) for (const cell of row.cells) cell.classList.toggle("group-start", starts.has(place(cell)));
    }
  }

  const arrangeAll = () => document.querySelectorAll("table.lossbook:not(.scoreboard)").forEach(arrange);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", arrangeAll);
  else arrangeAll();
})();
