/* Interactive figure of the `onecold` chapter. */
(() => {
  "use strict";

  const { range, fixed } = window.lossbook.tools;

  /** Softmax of a short list. */
  function softmax(values) {
    const highest = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - highest));
    const total = powers.reduce((sum, power) => sum + power, 0);
    return powers.map((power) => power / total);
  }

  // Gradients with respect to the logits [z0, z1, z2]; the label is 0 (Eqs. 16 and 17, the latter with z = -z̄).
  const crossEntropy = (z) => softmax(z).map((p, i) => p - (i === 0 ? 1 : 0));
  const oneCold = (z) => softmax(z.map((value) => -value)).map((p, i) => (i === 0 ? 0 : 0.5) - p);
  const norm = (gradient) => Math.hypot(...gradient);

  const EDGE = 5;

  const gradients = {
    alt: "Three maps, CE, OCCE and their sum, over the two wrong logits: colour for the norm of the gradient, arrows for the force. The arrows of CE all point down or left; those of OCCE point towards the diagonal from both sides; the sum mixes the two. A diamond marks one point in each map.",
    controls: [
      { key: "z0", label: "the label's logit z_0", min: -5, max: 5, step: 0.1, value: 2.5, digits: 1 },
      { key: "z1", label: "logit z_1 of the marked point", min: -5, max: 5, step: 0.1, value: 2, digits: 1 },
      { key: "z2", label: "logit z_2 of the marked point", min: -5, max: 5, step: 0.1, value: -2, digits: 1 },
      { key: "gamma", label: "weight γ of OCCE in the sum", min: 0, max: 10, step: 0.1, value: 1, digits: 1 },
    ],
    draw({ z0, z1, z2, gamma }, theme, width) {
      const stacked = width < 560;
      const sum = (z) => { const cold = oneCold(z); return crossEntropy(z).map((g, i) => g + gamma * cold[i]); };
      const losses = [
        { name: "CE", gradient: crossEntropy },
        { name: "OCCE", gradient: oneCold },
        { name: `CE + ${fixed(gamma, 1)} OCCE`, gradient: sum },
      ];
      const fine = range(-EDGE, EDGE, 41);
      const coarse = range(-EDGE + 0.5, EDGE - 0.5, stacked ? 7 : 9);
      const data = [];
      const annotations = [];
      const axes = {};
      losses.forEach(({ name, gradient }, index) => {
        const suffix = index ? String(index + 1) : "";
        const [xaxis, yaxis] = [`x${suffix}`, `y${suffix}`];
        const strength = fine.map((b) => fine.map((a) => norm(gradient([z0, a, b]))));
        // Each panel has its own scale: the sum grows with gamma.
        const highest = Math.max(...strength.flat());
        data.push({ type: "contour", x: fine, y: fine, z: strength, xaxis, yaxis, colorscale: theme.heat, zmin: 0, zmax: highest,
          showscale: false, contours: { coloring: "heatmap" }, ncontours: 8, line: { width: 0.5, color: theme.grid },
          hovertemplate: "z<sub>1</sub> = %{x:.1f}, z<sub>2</sub> = %{y:.1f}<br>gradient norm %{z:.2f}<extra></extra>" });
        const reach = (0.9 * (coarse[1] - coarse[0])) / highest;
        const [x, y] = [[], []];
        for (const a of coarse) for (const b of coarse) {
          const force = gradient([z0, a, b]);
          const [dx, dy] = [-reach * force[1], -reach * force[2]];
          if (Math.hypot(dx, dy) < 0.04) continue;
          const [tx, ty] = [a + dx, b + dy];
          const side = (s) => [tx - 0.3 * dx + 0.2 * s * dy, ty - 0.3 * dy - 0.2 * s * dx];
          const [left, right] = [side(1), side(-1)];
          x.push(a, tx, left[0], null, tx, right[0], null);
          y.push(b, ty, left[1], null, ty, right[1], null);
        }
        data.push({ x, y, mode: "lines", xaxis, yaxis, hoverinfo: "skip", showlegend: false, line: { color: theme.text, width: 1.2 } });
        data.push({ x: [z1], y: [z2], mode: "markers", xaxis, yaxis, hoverinfo: "skip", showlegend: false, cliponaxis: false,
          marker: { color: theme.accent, size: 11, symbol: "diamond", line: { color: theme.background, width: 1 } } });
        const [from, to] = [index * 0.355, index * 0.355 + 0.29];
        const free = { range: [-EDGE, EDGE], dtick: 5, zeroline: false, showgrid: false };
        axes[`xaxis${suffix}`] = { ...free, domain: stacked ? [0, 1] : [from, to], anchor: yaxis,
          title: { text: stacked && index < 2 ? "" : "logit z<sub>1</sub>" } };
        axes[`yaxis${suffix}`] = { ...free, domain: stacked ? [1 - to, 1 - from] : [0, 1], anchor: xaxis,
          title: { text: stacked || index === 0 ? "logit z<sub>2</sub>" : "" } };
        annotations.push({ xref: `${xaxis} domain`, yref: `${yaxis} domain`, x: 0.5, y: 1, yanchor: "bottom", showarrow: false,
          text: `<b>${name}</b>` });
      });
      const [ce, occe, both] = losses.map(({ gradient }) => gradient([z0, z1, z2]));
      const say = (gradient) => `(${gradient.map((g) => fixed(-g)).join(", ")}), norm ${fixed(norm(gradient))}`;
      return {
        data,
        height: stacked ? 3 * width : width / 3 + 60,
        layout: { showlegend: false, margin: { t: 28 }, ...axes, annotations },
        readout: [
          `The forces on (z_0, z_1, z_2) at the mark: CE ${say(ce)}; OCCE ${say(occe)}; the sum ${say(both)}. `,
          Math.abs(z1 - z2) < 0.05
            ? "The other two logits are equal: OCCE treats them alike."
            : "OCCE also moves the other two logits towards each other; CE moves each of them down.",
        ],
        attributes: { ce: JSON.stringify(ce), occe: JSON.stringify(occe), sum: JSON.stringify(both) },
      };
    },
  };

  Object.assign(window.lossbook.figures, { "onecold-gradients": gradients });
})();
