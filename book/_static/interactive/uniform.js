/* Interactive figures of the `uniform` chapter. */
(() => {
  "use strict";

  const { softplus, sigmoid, logaddexp, range, fixed, short, count, vertical } = window.lossbook.tools;

  /** Eq. 45 with A outside the logarithm: the same as lossbook.losses.uniform.stationary_bias. */
  function stationaryBias(classes, lower, upper) {
    const second = Math.log(4 * (classes - 1)) + upper - lower;
    if (classes === 2) return lower + 0.5 * second - Math.log(2);
    const first = Math.log(classes - 2);
    return lower + logaddexp(first, 0.5 * logaddexp(2 * first, second)) - Math.log(2);
  }

  /** bce-u with the positive metric at `upper` and all negative ones at `lower`. */
  const bceAt = (bias, classes, lower, upper) => softplus(bias - upper) + (classes - 1) * softplus(lower - bias);

  const corollary1 = {
    alt: "One curve of the loss, on a logarithmic axis, over the bias: it falls to a single minimum, marked with a diamond, and rises again. A shaded band reaches from A to B; the diamond is green while it lies within the band, and vermilion where condition (42) fails and it lies to the right of B.",
    controls: [
      { key: "num_classes", label: "number of classes N", min: 2, max: 100000, log: true, value: 10, digits: 0 },
      { key: "lower", label: "every negative metric, A", min: -20, max: 0, step: 0.1, value: -4, digits: 1 },
      { key: "upper", label: "every positive metric, B", min: 0.1, max: 20, step: 0.1, value: 4, digits: 1 },
    ],
    draw({ num_classes: N, lower: A, upper: B }, theme, width) {
      const bias = stationaryBias(N, A, B);
      const minimum = bceAt(bias, N, A, B);
      const limit = (Math.exp(B - A) + 3) / 2;
      const holds = N < limit;
      const left = A - 3;
      const right = Math.max(B + 3, bias + 1);
      const x = range(left, right, 401);
      const mark = holds ? theme.good : theme.bad;
      return {
        data: [
          { x, y: x.map((b) => bceAt(b, N, A, B)), mode: "lines", line: { color: theme.blue, width: 2.5 },
            hovertemplate: "b = %{x:.2f}<br>loss = %{y:.4g}<extra></extra>" },
          { x: [bias], y: [minimum], mode: "markers", marker: { color: mark, size: 12, symbol: "diamond" }, cliponaxis: false,
            hovertemplate: "stationary bias %{x:.6f}<br>loss = %{y:.4g}<extra></extra>" },
        ],
        layout: {
          showlegend: false,
          margin: { t: 28 },
          xaxis: { title: { text: "bias b" }, range: [left, right], zeroline: false },
          yaxis: { title: { text: "loss L(b), nats" }, type: "log", exponentformat: "power", dtick: 1, ...decades(minimum, bceAt(left, N, A, B)) },
          shapes: [
            { type: "rect", x0: A, x1: B, yref: "paper", y0: 0, y1: 1, layer: "below", line: { width: 0 }, fillcolor: theme.shade },
            vertical(A, theme.muted), vertical(B, theme.muted),
          ],
          annotations: [
            { x: bias, y: Math.log10(minimum), yshift: 26, text: `<b>b = ${fixed(bias)}</b>`, showarrow: false, bgcolor: theme.background, opacity: 0.9,
              font: { color: mark, size: 14 } },
            { x: A, y: 1, yref: "paper", yanchor: "bottom", text: "A", showarrow: false },
            { x: B, y: 1, yref: "paper", yanchor: "bottom", text: "B", showarrow: false },
            { x: (A + B) / 2, y: 1, yref: "paper", yanchor: "bottom", showarrow: false,
              text: width * (B - A) > 300 * (right - left) ? "the thresholds [A, B)" : "", font: { color: theme.muted } },
          ],
        },
        readout: [
          holds
            ? [`Condition (42) holds: N = ${count(N)} < (e^(B−A) + 3)/2 = ${short(limit)}.`, "lossbook-good"]
            : [`Condition (42) fails: N = ${count(N)} is not below (e^(B−A) + 3)/2 = ${short(limit)}.`, "lossbook-bad"],
          ` The loss is smallest, ${short(minimum)}, at b = ${fixed(bias, 4)}, `,
          holds ? "between A and B: the bias is a unified threshold." : "not below B: no sample's positive metric exceeds the bias.",
        ],
        attributes: { bias, minimum, condition: holds },
      };
    },
  };

  /** A log axis from a little under `low` to a little over `high`, and a tick every 1, 2, 5 ... decades. */
  function decades(low, high) {
    const from = Math.log10(low);
    const to = Math.log10(high);
    const pad = Math.max(0.08 * (to - from), 0.05);
    const span = to - from + 2 * pad;
    return { range: [from - pad, to + pad], dtick: span > 20 ? 5 : span > 8 ? 2 : span > 1.5 ? 1 : "D1" };
  }

  const gradientFields = {
    alt: "Two maps, softmax and BCE, of the loss over the two negative logits, from pale for small to deep blue for large, with arrows of the pull and dashed lines, at the label's logit for softmax and at the bias for BCE. All arrows point down or left; those of BCE fade out below the dashed lines.",
    controls: [
      { key: "z0", label: "the label's logit z_0", min: -6, max: 6, step: 0.1, value: 2, digits: 1 },
      { key: "bias", label: "bias b, subtracted from all logits", min: -6, max: 6, step: 0.1, value: 0, digits: 1 },
    ],
    draw({ z0, bias }, theme, width) {
      const stacked = width < 560;
      const fine = range(-6, 6, 61);
      const coarse = range(-6, 6, stacked ? 9 : 13);
      const reach = 0.9 * (coarse[1] - coarse[0]);
      // The forces −∂L/∂z of the other two logits, and of the label's own one.
      const losses = {
        softmax: {
          loss: (z1, z2) => logaddexp(z0, logaddexp(z1, z2)) - z0,
          force: (z1, z2) => { const total = logaddexp(z0, logaddexp(z1, z2)); return [-Math.exp(z1 - total), -Math.exp(z2 - total)]; },
          own: (z1, z2) => -Math.expm1(z0 - logaddexp(z0, logaddexp(z1, z2))),
          line: z0, lineText: "z<sub>0</sub>", title: "softmax",
        },
        bce: {
          loss: (z1, z2) => softplus(bias - z0) + softplus(z1 - bias) + softplus(z2 - bias),
          force: (z1, z2) => [-sigmoid(z1 - bias), -sigmoid(z2 - bias)],
          own: () => sigmoid(bias - z0),
          line: bias, lineText: "b", title: "BCE",
        },
      };
      const data = [];
      const shapes = [];
      const annotations = [];
      let highest = 0;
      Object.values(losses).forEach((one, index) => {
        const axis = index === 0 ? "" : "2";
        const z = fine.map((z2) => fine.map((z1) => one.loss(z1, z2)));
        highest = Math.max(highest, z[60][60]);
        data.push({ type: "contour", x: fine, y: fine, z, xaxis: `x${axis}`, yaxis: `y${axis}`, coloraxis: "coloraxis",
          contours: { coloring: "heatmap" }, ncontours: 10, line: { width: 0.5, color: theme.grid },
          hovertemplate: "z<sub>1</sub> = %{x:.1f}, z<sub>2</sub> = %{y:.1f}<br>loss = %{z:.2f}<extra></extra>" });
        const x = [];
        const y = [];
        for (const z1 of coarse) for (const z2 of coarse) {
          const [f1, f2] = one.force(z1, z2);
          const [dx, dy] = [reach * f1, reach * f2];
          if (Math.hypot(dx, dy) < 0.04 * reach) continue;
          const [tx, ty] = [z1 + dx, z2 + dy];
          const side = (s) => [tx - 0.3 * dx + 0.2 * s * dy, ty - 0.3 * dy - 0.2 * s * dx];
          const [a, b] = [side(1), side(-1)];
          x.push(z1, tx, a[0], null, tx, b[0], null);
          y.push(z2, ty, a[1], null, ty, b[1], null);
        }
        data.push({ x, y, mode: "lines", xaxis: `x${axis}`, yaxis: `y${axis}`, hoverinfo: "skip", showlegend: false,
          line: { color: theme.text, width: 1.2 } });
        const line = { color: theme.accent, width: 2, dash: "dash" };
        shapes.push({ type: "line", xref: `x${axis}`, yref: `y${axis}`, x0: one.line, x1: one.line, y0: -6, y1: 6, line },
          { type: "line", xref: `x${axis}`, yref: `y${axis}`, x0: -6, x1: 6, y0: one.line, y1: one.line, line });
        annotations.push({ xref: `x${axis} domain`, yref: `y${axis} domain`, x: 0.5, y: 1, yanchor: "bottom", showarrow: false,
          text: `<b>${one.title}</b>, dashed at ${one.lineText} = ${fixed(one.line, 1)}` });
      });
      const own = [losses.softmax.own(-6, -6), losses.softmax.own(6, 6)];
      const free = { range: [-6, 6], dtick: 3, zeroline: false, showgrid: false };
      return {
        data,
        height: stacked ? 2 * width + 80 : width / 2 + 10,
        layout: {
          showlegend: false,
          margin: { t: 28, r: stacked ? 8 : 60, b: stacked ? 110 : 48 },
          coloraxis: { colorscale: theme.heat, cmin: 0, cmax: highest,
            colorbar: stacked
              ? { title: { text: "loss" }, orientation: "h", thickness: 12, y: -0.11, yanchor: "top" }
              : { title: { text: "loss" }, thickness: 12, outlinewidth: 0 } },
          xaxis: { ...free, domain: stacked ? [0, 1] : [0, 0.46], title: { text: stacked ? "" : "logit z<sub>1</sub>" } },
          yaxis: { ...free, domain: stacked ? [0.54, 1] : [0, 1], title: { text: "logit z<sub>2</sub>" } },
          xaxis2: { ...free, domain: stacked ? [0, 1] : [0.54, 1], anchor: "y2", title: { text: "logit z<sub>1</sub>" } },
          yaxis2: { ...free, domain: stacked ? [0, 0.46] : [0, 1], anchor: "x2", title: { text: stacked ? "logit z<sub>2</sub>" : "" } },
          shapes, annotations,
        },
        readout: [
          `The pull on the label's own logit: softmax from ${fixed(own[0])} to ${fixed(own[1])}, depending on the other two; BCE ${fixed(losses.bce.own())} everywhere. `,
          "The arrows of softmax depend on z_0 and not on b, those of BCE on b and not on z_0.",
        ],
        attributes: { softmaxCentre: losses.softmax.loss(0, 0), bceCentre: losses.bce.loss(0, 0), bcePull: losses.bce.own() },
      };
    },
  };

  // Fixed deviations, five classes of eight samples: mean 0 and variance 1; the shifts have mean 0 in every class.
  const POSITIVE = [
    [-0.70, 0.57, 1.00, 0.99, 1.81, -0.48, 0.48, -0.46], [-1.56, -0.81, 0.06, -1.03, -0.28, 1.08, 0.51, 0.51],
    [0.28, -0.26, -2.02, 0.95, -1.64, 0.14, -0.19, 0.06], [0.18, -0.43, 0.86, -1.41, 0.74, -1.83, 1.15, -0.61],
    [0.31, 1.48, -2.32, -0.41, 0.52, 0.85, 1.33, 0.55],
  ];
  const NEGATIVE = [
    [0.33, -0.09, 0.07, -0.12, 0.81, -0.03, 0.48, 1.44], [0.99, -0.54, -0.30, 0.55, -0.84, -2.05, -1.22, 0.35],
    [-0.41, -0.56, 0.56, -1.26, 2.10, -0.17, -0.52, 1.87], [-1.30, -0.70, -0.28, -1.17, -0.54, 0.40, -0.02, -0.24],
    [0.81, 1.71, 1.39, -2.31, 1.19, 0.59, 0.22, -1.19],
  ];
  const SHIFT = [
    [-0.55, -0.29, -1.58, 1.28, 0.91, -0.08, -1.09, 1.40], [0.18, 0.64, -0.97, 2.09, -0.67, 1.61, -2.70, -0.18],
    [1.09, -1.75, 0.29, -0.34, -0.54, 0.17, -0.28, 1.35], [0.49, 0.27, -0.92, -0.55, 1.81, -0.40, -0.04, -0.66],
    [0.20, 0.59, 0.49, 0.09, 0.40, -0.61, 0.30, -1.45],
  ];
  const CLASS_SHIFT = [-1.3, 0.6, 1.2, -0.7, 0.2];

  const covers = (sample, t) => sample.negative <= t && t < sample.positive;
  const hits = (samples, t) => samples.filter((sample) => covers(sample, t)).length;

  /** The threshold that covers most samples and how many: the middle of the (lowest) best interval, as in lossbook.metrics. */
  function bestThreshold(samples) {
    const right = samples.filter((sample) => sample.positive > sample.negative);
    if (right.length === 0) return { count: 0, low: NaN, high: NaN, t: NaN };
    const counts = right.map((sample) => hits(right, sample.negative));
    const count = Math.max(...counts);
    const low = Math.min(...right.filter((_, i) => counts[i] === count).map((sample) => sample.negative));
    const high = Math.min(...right.filter((sample) => sample.positive > low).map((sample) => sample.positive));
    return { count, low, high, t: (low + high) / 2 };
  }

  const thresholds = {
    alt: "Forty vertical bars in five groups of eight, one bar per sample, from its largest negative to its positive metric. A level line at the threshold t crosses some of them: those are blue, the ones that it misses orange, and crosses are samples that every threshold misses. A dotted line per group is the best threshold of that class.",
    controls: [
      { key: "threshold", label: "unified threshold t", min: -8, max: 8, step: 0.05, value: 0, digits: 2 },
      { key: "spread", label: "spread σ of the metrics", min: 0, max: 3, step: 0.05, value: 0.8, digits: 2 },
      { key: "sample_shift", label: "shift of each sample", min: 0, max: 4, step: 0.05, value: 1.5, digits: 2 },
      { key: "class_shift", label: "shift of each class", min: 0, max: 4, step: 0.05, value: 1, digits: 2 },
    ],
    draw({ threshold: t, spread, sample_shift: sampleShift, class_shift: classShift }, theme, width) {
      const samples = [];
      POSITIVE.forEach((row, c) => row.forEach((deviation, i) => {
        const shift = sampleShift * SHIFT[c][i] + classShift * CLASS_SHIFT[c];
        samples.push({ c, x: 10 * c + i, positive: 2 + spread * deviation + shift, negative: -2 + spread * NEGATIVE[c][i] + shift });
      }));
      const classes = CLASS_SHIFT.map((_, c) => samples.filter((sample) => sample.c === c));
      const bests = classes.map(bestThreshold);
      const best = bestThreshold(samples);
      const share = (count) => count / samples.length;
      const samplewise = share(samples.filter((sample) => sample.positive > sample.negative).length);
      const classwise = share(bests.reduce((sum, one) => sum + one.count, 0));
      const uniform = share(best.count);
      const atThreshold = share(hits(samples, t));

      const bars = (name, chosen, color, dash) => {
        const trace = { name, mode: "lines", x: [], y: [], line: { color, width: width < 560 ? 3 : 5, dash }, hoverinfo: "skip" };
        chosen.forEach((sample) => { trace.x.push(sample.x, sample.x, null); trace.y.push(sample.negative, sample.positive, null); });
        return chosen.length ? trace : { ...trace, x: [null], y: [null] };
      };
      const correct = samples.filter((sample) => sample.positive > sample.negative);
      const ends = samples.map((sample) => [fixed(sample.negative), fixed(sample.positive)]);
      return {
        data: [
          bars("hit by t", correct.filter((sample) => covers(sample, t)), theme.blue),
          bars("missed by t", correct.filter((sample) => !covers(sample, t)), theme.accent),
          { name: "wrong for every t", mode: "markers", marker: { symbol: "x", size: 8, color: theme.bad },
            x: samples.filter((sample) => sample.positive <= sample.negative).map((sample) => sample.x).concat([null]),
            y: samples.filter((sample) => sample.positive <= sample.negative).map((sample) => (sample.positive + sample.negative) / 2).concat([null]),
            hoverinfo: "skip" },
          { name: "best threshold of a class", mode: "lines", hoverinfo: "skip", line: { color: theme.text, width: 1.5, dash: "dot" },
            x: bests.flatMap((_, c) => [10 * c - 1, 10 * c + 8, null]), y: bests.flatMap((one) => [one.t, one.t, null]) },
          { mode: "markers", showlegend: false, marker: { size: 10, opacity: 0 }, x: samples.map((sample) => sample.x),
            y: samples.map((sample) => (sample.positive + sample.negative) / 2), customdata: ends,
            hovertemplate: "positive metric %{customdata[1]}<br>largest negative metric %{customdata[0]}<extra></extra>" },
        ],
        height: width < 560 ? 440 : 400,
        layout: {
          xaxis: { tickvals: [3.5, 13.5, 23.5, 33.5, 43.5], ticktext: ["1", "2", "3", "4", "5"], title: { text: "class (eight samples each)" },
            range: [-2, 46 + (48 * 62) / Math.max(width - 132, 100)], showgrid: false, zeroline: false },
          yaxis: { title: { text: "metric" }, range: [-12, 12], zeroline: false, dtick: 4 },
          shapes: [{ type: "line", xref: "paper", x0: 0, x1: 1, y0: t, y1: t, line: { color: theme.text, width: 2 } }],
          annotations: [{ xref: "paper", x: 1, xanchor: "right", y: t, yanchor: "bottom", text: `t = ${fixed(t)}`, showarrow: false, bgcolor: theme.background }],
        },
        readout: [
          [`A_SW = ${fixed(100 * samplewise, 1)} %, A_CW = ${fixed(100 * classwise, 1)} %, A_Uni = ${fixed(100 * uniform, 1)} %.`, "lossbook-strong"],
          ` The threshold t = ${fixed(t)} hits ${fixed(100 * atThreshold, 1)} %; `,
          best.count ? `the best one, ${fixed(best.low)} ≤ t < ${fixed(best.high)}, hits the share A_Uni.` : "no threshold hits any.",
        ],
        attributes: { samplewise, classwise, uniform, atThreshold, best: best.t },
      };
    },
  };

  const lossShapes = {
    alt: "Three curves of the loss, on a logarithmic axis, over the cosine of a sample with its own class: soft-nu, bce-nu with the chosen bias, and bce-nu with the best bias, dashed. All fall from left to right, and a disc marks the least value of each at cosine 1.",
    controls: [
      { key: "scale", label: "scale γ", min: 1, max: 256, log: true, value: 16, digits: 1 },
      { key: "num_classes", label: "number of classes N", min: 2, max: 100000, log: true, value: 1000, digits: 0 },
      { key: "bias", label: "bias b of bce-nu", min: -20, max: 150, step: 0.1, value: 10, digits: 1 },
    ],
    draw({ scale, num_classes: N, bias }, theme) {
      const lower = -scale / (N - 1);
      const best = stationaryBias(N, lower, scale);
      const soft = (cosine) => softplus(Math.log(N - 1) + lower - scale * cosine);
      const bce = (b) => (cosine) => bceAt(b, N, lower, scale * cosine);
      const x = range(-1, 1, 201);
      const lines = [
        { name: "soft-nu, every b", loss: soft, color: theme.blue, dash: "solid" },
        { name: `bce-nu, b = ${fixed(bias, 1)}`, loss: bce(bias), color: theme.accent, dash: "solid" },
        { name: `bce-nu, best b = ${fixed(best, 1)}`, loss: bce(best), color: theme.good, dash: "dash" },
      ].map((line) => ({ ...line, y: x.map(line.loss), least: line.loss(1) }));
      const low = Math.max(1e-9, Math.min(...lines.map((line) => line.least)));
      const high = Math.max(...lines.map((line) => line.y[0]));
      return {
        data: lines.flatMap(({ name, y, least, color, dash }) => [
          { name, x, y, mode: "lines", line: { color, dash, width: 2.5 }, hovertemplate: "cos = %{x:.2f}<br>loss = %{y:.4g}" },
          { x: [1], y: [least], mode: "markers", marker: { color, size: 10 }, showlegend: false, cliponaxis: least < low, hovertemplate: `cos = 1<br>loss = ${short(least)}<extra></extra>` },
        ]),
        height: 400,
        layout: {
          xaxis: { title: { text: "cosine of the sample with its own class" }, range: [-1, 1.02], zeroline: false, dtick: 0.5 },
          yaxis: { title: { text: "loss, nats" }, type: "log", exponentformat: "power", ...decades(low, high) },
        },
        readout: [
          `All negatives at the simplex's cosine −1/(N−1) = ${short(-1 / (N - 1))}. The least attainable loss, at cos = 1: soft-nu ${short(lines[0].least)}; `,
          `bce-nu ${short(lines[1].least)} with this bias, ${short(lines[2].least)} with the best one`,
          best < scale ? "." : ". The best bias is not below γ, so it separates nothing.",
        ],
        attributes: { soft: lines[0].least, bce: lines[1].least, bceBest: lines[2].least, best },
      };
    },
  };

  Object.assign(window.lossbook.figures, { corollary1, "gradient-fields": gradientFields, thresholds, "loss-shapes": lossShapes });
})();
