/* The interactive figures of the book: what all of them share.
 *
 * A page holds <figure class="lossbook-interactive" data-name="..." data-parameters="{...}">, written by
 * lossbook.report.interactive; mount.js draws it.  A chapter's file beside this one (uniform.js, ...) adds its figures to
 * window.lossbook.figures.  A figure is
 *
 *   alt       what is drawn, for readers who do not see it
 *   controls  [{key, label, min, max, step, value, log?, digits?}]   one slider each; log: the slider moves log10
 *   draw(values, theme, width) -> {data, layout, height, readout, attributes}
 *
 * values are the sliders' numbers, data and layout are plotly's, readout is text or [text, class] pairs, and
 * attributes become data-* of the figure, where a test reads the numbers drawn.  draw is a pure function.
 * In labels, readouts and captions z_1 and A_(Uni) are set with a subscript, e^(B-A) with a superscript.
 */
(() => {
  "use strict";

  const softplus = (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const sigmoid = (x) => (x >= 0 ? 1 / (1 + Math.exp(-x)) : Math.exp(x) / (1 + Math.exp(x)));
  const logaddexp = (a, b) => Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
  const range = (from, to, count) => Array.from({ length: count }, (_, i) => from + ((to - from) * i) / (count - 1));

  const minus = (text) => text.replace("-", "−");
  const fixed = (x, digits = 2) => minus((Math.abs(x) < 0.5 * 10 ** -digits ? 0 : x).toFixed(digits));

  /** A number for a sentence: 3 significant digits, powers of ten for the very large and small. */
  function short(x) {
    if (x === 0) return "0";
    const size = Math.abs(x);
    if (size >= 1e-3 && size < 1e5) return minus(size >= 100 ? x.toFixed(size >= 1e3 || Number.isInteger(x) ? 0 : 1) : String(Number(x.toPrecision(3))));
    const [mantissa, exponent] = x.toExponential(1).split("e");
    const digits = exponent.replace("+", "").replace(/./g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
    return `${minus(mantissa)} × 10${digits}`;
  }

  const count = (n) => n.toLocaleString("en");

  /** A vertical line of a plotly layout. */
  const vertical = (x, color, dash = "dot") => ({
    type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line: { color, width: 1.5, dash },
  });

  window.lossbook = { figures: {}, tools: { softplus, sigmoid, logaddexp, range, minus, fixed, short, count, vertical } };
})();
