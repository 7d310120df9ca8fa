/* The scoreboard: filters and order above the table, and runs that open when a link leads to them.
 * Without this script the table stands complete, paper by paper. */
(() => {
  "use strict";

  // A row has one verdict for each tier that decides it: {tier: [word, distance from the bound]}.
  const verdicts = (row, tier) => Object.entries(JSON.parse(row.dataset.verdicts)).filter(([name]) => !tier || name === tier).map(([, verdict]) => verdict);
  const margins = (row, tier) => verdicts(row, tier).map(([, margin]) => margin);

  const ORDERS = {
    paper: ["paper by paper", (row) => Number(row.dataset.order)],
    clearest: ["clearest verdict first", (row, tier) => -Math.max(...margins(row, tier).map(Math.abs))],
    reproduced: ["best reproduced first", (row, tier) => -Math.min(...margins(row, tier))],
    failed: ["clearest failure first", (row, tier) => Math.min(...margins(row, tier))],
  };
  const WORDS = ["reproduced", "undecided", "not-reproduced", "by-proof"];

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    node.append(...children);
    return node;
  }

  const unique = (values) => [...new Set(values)];

  function select(name, label, options) {
    const box = element("select", { name, id: `scoreboard-${name}` }, ...options.map(([value, text]) => element("option", { value }, text)));
    return [box, element("label", { for: box.id }, label, box)];
  }

  function equip(table) {
    const rows = [...table.querySelectorAll("tbody tr[data-order]")];
    const bodies = [...table.tBodies];
    const home = new Map(rows.map((row) => [row, row.parentElement]));
    const all = (values, text) => [["", text], ...unique(values).map((value) => [value, value.replace("-", " ")])];
    const tiers = unique(rows.flatMap((row) => Object.keys(JSON.parse(row.dataset.verdicts))));
    const [order, orderLabel] = select("order", "Order", Object.entries(ORDERS).map(([key, [text]]) => [key, text]));
    const [paper, paperLabel] = select("paper", "Paper", all(rows.map((row) => row.dataset.paper), "all papers"));
    const [verdict, verdictLabel] = select("verdict", "Verdict", all(rows.flatMap((row) => verdicts(row).map(([word]) => word)), "all verdicts"));
    const [tier, tierLabel] = select("tier", "Tier", all(tiers, "all tiers"));
    const words = element("input", { type: "search", id: "scoreboard-words", name: "words", placeholder: "A_Uni, Table 2, …" });
    const count = element("p", { class: "lossbook-readout", "aria-live": "polite" });
    const panel = element("div", { class: "scoreboard-controls" },
      element("label", { for: words.id }, "Words", words), paperLabel, verdictLabel, ...(tiers.length > 1 ? [tierLabel] : []), orderLabel);
    const mixed = element("tbody");

    function update() {
      const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      const fits = (row) => (!paper.value || row.dataset.paper === paper.value)
        && verdicts(row, tier.value).some(([word]) => !verdict.value || word === verdict.value)
        && wanted.every((word) => row.textContent.toLowerCase().includes(word));
      rows.forEach((row) => { row.hidden = !fits(row); });
      const key = ORDERS[order.value][1];
      const sorted = [...rows].sort((a, b) => key(a, tier.value) - key(b, tier.value) || a.dataset.order - b.dataset.order);
      const byPaper = order.value === "paper";
      sorted.forEach((row) => (byPaper ? home.get(row) : mixed).append(row));
      bodies.forEach((body) => { body.hidden = !byPaper || [...body.rows].every((row) => row.hidden || row.classList.contains("paper")); });
      mixed.hidden = byPaper;
      const shown = rows.filter((row) => !row.hidden);
      const found = shown.flatMap((row) => verdicts(row, tier.value).map(([word]) => word));
      const parts = WORDS.map((name) => [found.filter((word) => word === name).length, name.replace("-", " ")]);
      count.textContent = `${shown.length} of ${rows.length} claims, ${found.length} verdicts: ${parts.map((part) => part.join(" ")).join(", ")}.`;
    }

    table.append(mixed);
    (table.closest(".text_html") ?? table).before(panel, count);
    panel.addEventListener("input", update);
    update();
  }

  /** A link to a table's runs opens them. */
  function openTarget() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target?.matches("details.lossbook-runs")) return;
    target.open = true;
    target.scrollIntoView();
  }

  const start = () => {
    document.querySelectorAll("table.scoreboard").forEach(equip);
    openTarget();
    addEventListener("hashchange", openTarget);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
