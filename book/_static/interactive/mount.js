/* Draws every interactive figure of a page; loaded after the chapters' files (see base.js). */
(() => {
  "use strict";

  const plotlyUrl = new URL("../plotly.min.js", document.currentScript.src).href;
  const { fixed, short, count } = window.lossbook.tools;

  const root = document.documentElement;

  /** Colours of the page's own theme, and the colour-blind safe palette, lighter on dark. */
  function readTheme() {
    const dark = root.dataset.theme === "dark";
    const style = getComputedStyle(root);
    const read = (name, fallback) => style.getPropertyValue(name).trim() || fallback;
    return {
      text: read("--pst-color-text-base", dark ? "#ced6dd" : "#222832"),
      muted: read("--pst-color-text-muted", dark ? "#9ca4af" : "#48566b"),
      background: read("--pst-color-background", dark ? "#14181e" : "#ffffff"),
      grid: dark ? "rgba(255,255,255,0.16)" : "rgba(0,0,0,0.12)",
      shade: dark ? "rgba(86,180,233,0.16)" : "rgba(1,115,178,0.10)",
      blue: dark ? "#56b4e9" : "#0173b2",
      accent: dark ? "#f0a94a" : "#b45a00",
      good: dark ? "#3ecf9f" : "#00724f",
      bad: dark ? "#ff8a5c" : "#c03a00",
      heat: dark ? [[0, "#14181e"], [0.5, "#174a6e"], [1, "#3a86b8"]] : [[0, "#ffffff"], [0.5, "#bfdcee"], [1, "#6aaed6"]],
    };
  }

  /** Text with its sub- and superscripts as nodes. */
  function rich(text) {
    return text.split(/([_^](?:\([^)]*\)|[A-Za-z0-9]+))/).map((part) => {
      const kind = { _: "sub", "^": "sup" }[part[0]];
      return kind && part.length > 1 ? element(kind, {}, part.slice(1).replace(/^\((.*)\)$/, "$1")) : part;
    });
  }

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    Object.entries(attributes).forEach(([name, value]) => node.setAttribute(name, value));
    node.append(...children);
    return node;
  }

  let plotly;
  function loadPlotly() {
    plotly ??= new Promise((resolve, reject) => {
      const script = element("script", { src: plotlyUrl });
      script.onload = () => resolve(window.Plotly);
      script.onerror = () => reject(new Error(`could not load ${plotlyUrl}`));
      document.head.append(script);
    });
    return plotly;
  }

  function fail(figure, message) {
    figure.dataset.failed = message;
    figure.prepend(element("p", { class: "lossbook-readout lossbook-bad" }, `This figure cannot be drawn: ${message}`));
    console.error(`lossbook: ${figure.id}: ${message}`);
  }

  function styled(layout, theme, width, height) {
    const axis = { gridcolor: theme.grid, linecolor: theme.grid, zerolinecolor: theme.grid, tickcolor: theme.grid, fixedrange: true, automargin: true };
    const out = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false, width, height,
      font: { color: theme.text, size: 13, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: theme.background, bordercolor: theme.muted, font: { color: theme.text } },
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom" },
      ...layout,
      margin: { l: 56, r: 12, t: 12, b: 48, ...layout.margin },
    };
    for (const key of Object.keys(layout)) if (/^[xy]axis/.test(key)) out[key] = { ...axis, ...layout[key] };
    return out;
  }

  let mounted = 0;

  /** Builds sliders, plot and readout into one <figure>. */
  function mount(figure) {
    const spec = window.lossbook.figures[figure.dataset.name];
    if (!spec) return fail(figure, `no figure is called "${figure.dataset.name}"; there are ${Object.keys(window.lossbook.figures).join(", ")}`);
    const parameters = JSON.parse(figure.dataset.parameters || "{}");
    const known = spec.controls.map((control) => control.key);
    const unknown = Object.keys(parameters).filter((key) => !known.includes(key));
    if (unknown.length) return fail(figure, `unknown parameter ${unknown.join(", ")}; expected some of ${known.join(", ")}`);

    const start = Object.fromEntries(spec.controls.map((control) => [control.key, parameters[control.key] ?? control.value]));
    let values = { ...start };
    const prefix = `lossbook-control-${(mounted += 1)}`;
    const plot = element("div", { class: "lossbook-plot", role: "img", "aria-label": spec.alt });
    const readout = element("p", { class: "lossbook-readout", "aria-live": "polite" });
    const panel = element("div", { class: "lossbook-controls" });
    const caption = figure.querySelector("figcaption");
    if (caption?.children.length === 0) caption.replaceChildren(...rich(caption.textContent));

    const sliders = spec.controls.map((control) => {
      const { key, log, digits = 2 } = control;
      const position = (value) => (log ? Math.log10(value) : value);
      // A start value outside of the usual range widens it.
      const low = Math.min(position(control.min), position(start[key]));
      const high = Math.max(position(control.max), position(start[key]));
      const id = `${prefix}-${key}`;
      const input = element("input", { type: "range", id, name: key, min: low, max: high, step: log ? 0.01 : control.step });
      const output = element("output", { for: id });
      const show = () => {
        const value = values[key];
        const isRound = Math.abs(value - Number(value.toFixed(digits))) < 1e-9;
        output.textContent = digits === 0 ? count(value) : log || isRound ? fixed(value, digits) : short(value);
        input.setAttribute("aria-valuetext", output.textContent);
      };
      input.addEventListener("input", () => {
        const moved = log ? 10 ** Number(input.value) : Number(input.value);
        values = { ...values, [key]: digits === 0 ? Math.round(moved) : Number(moved.toFixed(6)) };
        show();
        schedule();
      });
      panel.append(element("div", { class: "lossbook-control" }, element("label", { for: id }, ...rich(control.label)), output, input));
      const reset = () => { input.value = position(start[key]); show(); };
      reset();
      return reset;
    });
    const button = element("button", { type: "button", class: "lossbook-reset" }, "Reset");
    button.addEventListener("click", () => { values = { ...start }; sliders.forEach((reset) => reset()); schedule(); });
    panel.append(button);
    figure.prepend(plot, panel, readout);

    let drawnWidth = -1;
    let pending = false;
    function schedule() {
      if (pending) return;
      pending = true;
      requestAnimationFrame(() => { pending = false; redraw(); });
    }

    async function redraw() {
      const width = plot.clientWidth;
      const theme = readTheme();
      const drawn = spec.draw(values, theme, width || 640);
      readout.replaceChildren(...[].concat(drawn.readout).flatMap((part) =>
        Array.isArray(part) ? element("span", { class: part[1] }, ...rich(part[0])) : rich(part)));
      figure.dataset.values = JSON.stringify(values);
      Object.entries(drawn.attributes).forEach(([name, value]) => { figure.dataset[name] = String(value); });
      if (width === 0) return; // folded away; the observer calls again
      try {
        const Plotly = await loadPlotly();
        // A new width may be a new arrangement, of which react would keep the old margins.
        const draw = width === drawnWidth ? Plotly.react : Plotly.newPlot;
        drawnWidth = width;
        await draw(plot, drawn.data, styled(drawn.layout, theme, width, drawn.height ?? 360), { displayModeBar: false, responsive: false });
      } catch (error) {
        plot.remove();
        fail(figure, error.message);
      }
    }

    new ResizeObserver(() => { if (plot.clientWidth !== drawnWidth) schedule(); }).observe(plot);
    new MutationObserver(schedule).observe(root, { attributes: true, attributeFilter: ["data-theme"] });
    redraw();
  }

  window.lossbook.mount = mount;
  const mountAll = () => document.querySelectorAll("figure.lossbook-interactive").forEach(mount);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
  else mountAll();
})();
