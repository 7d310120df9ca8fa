/* Interactive figure of the `multicenter` chapter. */
(() => {
  "use strict";

  const { sigmoid, logaddexp, range, fixed, short } = window.lossbook.tools;

  /** Normal deviates, the same in every browser: mulberry32 and Box-Muller. */
  function deviates(seed, count) {
    let state = seed;
    const uniform = () => {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return (((t ^ (t >>> 14)) >>> 0) + 0.5) / 4294967296;
    };
    return Array.from({ length: count }, () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()));
  }

  const RADIUS = 2;
  const SPREAD = 0.4;
  const DECAY = 0.02; // without it, the centres of separable classes would grow for ever
  const REACH = 4.5;
  const POINTS = deviates(7, 96); // 12 points of each mode of class A, 24 of class B
  const MOST = 64;

  function samples(angle) {
    const half = (angle / 360) * Math.PI;
    return range(0, 47, 48).map((i) => {
      const side = i < 12 ? 1 : i < 24 ? -1 : 0;
      const [x, y] = side ? [side * RADIUS * Math.sin(half), -RADIUS * Math.cos(half)] : [0, RADIUS];
      return { a: side !== 0, x: x + SPREAD * POINTS[2 * i], y: y + SPREAD * POINTS[2 * i + 1] };
    });
  }

  /** u = W_A - W_B with the least softmax cross entropy plus DECAY |u|²/2, by Newton's method. */
  function fit(points) {
    let [u, v] = [0, 0];
    for (let step = 0; step < 40; step += 1) {
      let [gu, gv, huu, huv, hvv] = [DECAY * u, DECAY * v, DECAY, 0, DECAY];
      points.forEach(({ a, x, y }) => {
        const p = sigmoid(u * x + v * y);
        const [error, weight] = [(p - (a ? 1 : 0)) / points.length, (p * (1 - p)) / points.length];
        gu += error * x; gv += error * y;
        huu += weight * x * x; huv += weight * x * y; hvv += weight * y * y;
      });
      const determinant = huu * hvv - huv * huv;
      u -= (hvv * gu - huv * gv) / determinant;
      v -= (huu * gv - huv * gu) / determinant;
    }
    return [u, v];
  }

  const twoModes = {
    alt: "Two maps of the plane with the points of class A (discs) and class B (diamonds), coloured by the probability of A, and a star at each centre. Left, the border between the classes is a straight line; right, with bars for the sub-centres about the stars, it may bend, beside a dashed border for endlessly many sub-centres.",
    controls: [
      { key: "angle", label: "angle between the two modes of class A, degrees", min: 0, max: 300, step: 5, value: 200, digits: 0 },
      { key: "draw", label: "draw of the sub-centres, no.", min: 1, max: 20, step: 1, value: 1, digits: 0 },
      { key: "num_subcenters", label: "sub-centres K", min: 0, max: MOST, step: 1, value: 8, digits: 0 },
      { key: "sigma_a", label: "σ of class A along x_1", min: 0, max: 3, step: 0.05, value: 1.5, digits: 2 },
      { key: "sigma_b", label: "σ of class B along x_1", min: 0, max: 3, step: 0.05, value: 0, digits: 2 },
    ],
    draw({ angle, num_subcenters: K, sigma_a: sigmaA, sigma_b: sigmaB, draw }, theme, width) {
      const stacked = width < 560;
      const points = samples(angle);
      const [u, v] = fit(points);
      const noise = deviates(1000 + draw, 2 * MOST);
      // Sub-centres differ from the centre along x_1 only.
      const shiftsA = [0, ...noise.slice(0, K).map((e) => sigmaA * e)];
      const shiftsB = [0, ...noise.slice(MOST, MOST + K).map((e) => sigmaB * e)];
      const raise = (shifts, x) => shifts.map((shift) => shift * x).reduce(logaddexp);
      const linear = (x, y) => u * x + v * y;
      const multi = (x, y) => linear(x, y) + raise(shiftsA, x) - raise(shiftsB, x);
      const endless = (x, y) => linear(x, y) + 0.5 * (sigmaA ** 2 - sigmaB ** 2) * x * x;
      const share = (score) => points.filter(({ a, x, y }) => (a ? score(x, y) > 0 : score(x, y) < 0)).length / points.length;
      const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
      const loss = mean(points.map(({ a, x, y }) => {
        const shifts = a ? shiftsA : shiftsB;
        const own = (a ? 0.5 : -0.5) * linear(x, y) + (K ? 0.5 * mean(shifts.slice(1)) * x : 0);
        return logaddexp(0.5 * linear(x, y) + raise(shiftsA, x), -0.5 * linear(x, y) + raise(shiftsB, x)) - own;
      }));
      const narrow = mean(points.map(({ a, x, y }) => logaddexp(0, (a ? -1 : 1) * linear(x, y)))) + Math.log(K + 1);
      const shares = { linear: share(linear), multi: share(multi), endless: share(endless) };

      const grid = range(-REACH, REACH, 61);
      const raised = grid.map((x) => raise(shiftsA, x) - raise(shiftsB, x));
      const fields = [
        { z: grid.map((y) => grid.map((x) => linear(x, y))), title: `one centre per class: ${fixed(100 * shares.linear, 0)} %` },
        { z: grid.map((y) => grid.map((x, i) => linear(x, y) + raised[i])), title: `K = ${K} sub-centres: ${fixed(100 * shares.multi, 0)} %` },
      ];
      const data = [];
      const annotations = [];
      const line = (z, axis, color, dash) => ({
        type: "contour", x: grid, y: grid, z, xaxis: `x${axis}`, yaxis: `y${axis}`, showscale: false, hoverinfo: "skip", showlegend: false,
        contours: { coloring: "none", start: 0, end: 0, size: 1 }, line: { color, width: 2.5, dash },
      });
      const dots = (name, chosen, axis, marker) => ({
        name, mode: "markers", x: chosen.map((one) => one.x), y: chosen.map((one) => one.y), xaxis: `x${axis}`, yaxis: `y${axis}`,
        showlegend: axis === "2", hovertemplate: "x<sub>1</sub> = %{x:.2f}, x<sub>2</sub> = %{y:.2f}", marker,
      });
      fields.forEach(({ z, title }, index) => {
        const axis = index === 0 ? "" : "2";
        data.push({ type: "heatmap", x: grid, y: grid, z: z.map((row) => row.map(sigmoid)), xaxis: `x${axis}`, yaxis: `y${axis}`, zsmooth: "best",
          coloraxis: "coloraxis", hovertemplate: "P(A) = %{z:.2f}<extra></extra>" });
        data.push(line(z, axis, theme.text, "solid"));
        const outline = { color: theme.background, width: 1 };
        data.push(dots("class A", points.filter(({ a }) => a), axis, { color: theme.blue, size: 8, line: outline }));
        data.push(dots("class B", points.filter(({ a }) => !a), axis, { color: theme.accent, size: 8, symbol: "diamond", line: outline }));
        const [a, b] = [{ x: u / 2, y: v / 2 }, { x: -u / 2, y: -v / 2 }];
        if (index === 1) {
          data.push(line(grid.map((y) => grid.map((x) => endless(x, y))), axis, theme.bad, "dash"));
          const around = (centre, shifts) => shifts.slice(1).map((shift) => ({ x: centre.x + shift, y: centre.y }));
          const thin = (color) => ({ color, size: 9, symbol: "line-ns-open", line: { width: 1.5 } });
          data.push({ ...dots("sub-centres", around(a, shiftsA), axis, thin(theme.blue)), showlegend: false },
            { ...dots("sub-centres", around(b, shiftsB), axis, thin(theme.accent)), showlegend: false });
          // Lines of a contour have no entry in the legend: these two stand for them.
          data.push({ name: "as likely A as B", mode: "lines", x: [null], y: [null], xaxis: "x2", yaxis: "y2", line: { color: theme.text, width: 2.5 } },
            { name: "the same for K → ∞", mode: "lines", x: [null], y: [null], xaxis: "x2", yaxis: "y2", line: { color: theme.bad, width: 2.5, dash: "dash" } });
        }
        data.push(dots("centres W", [a, b], axis, { color: [theme.blue, theme.accent], size: 13, symbol: "star", line: { color: theme.text, width: 1 } }));
        annotations.push({ xref: `x${axis} domain`, yref: `y${axis} domain`, x: 0.5, y: 1, yanchor: "bottom", showarrow: false, text: `<b>${title}</b>` });
      });
      const free = { range: [-REACH, REACH], dtick: 2, zeroline: false, showgrid: false };
      return {
        data,
        height: stacked ? 2 * width + 140 : width / 2 + 84,
        layout: {
          margin: { t: 28, r: stacked ? 8 : 60, b: stacked ? 200 : 110 },
          legend: { orientation: "h", x: 0, xanchor: "left", y: stacked ? -0.1 : -0.3, yanchor: "top" },
          coloraxis: { colorscale: theme.heat, cmin: 0, cmax: 1, showscale: !stacked, colorbar: { title: { text: "P(A)" }, thickness: 12, outlinewidth: 0 } },
          xaxis: { ...free, domain: stacked ? [0, 1] : [0, 0.46], title: { text: stacked ? "" : "feature x<sub>1</sub>" } },
          yaxis: { ...free, domain: stacked ? [0.54, 1] : [0, 1], title: { text: "feature x<sub>2</sub>" } },
          xaxis2: { ...free, domain: stacked ? [0, 1] : [0.54, 1], anchor: "y2", title: { text: "feature x<sub>1</sub>" } },
          yaxis2: { ...free, domain: stacked ? [0, 0.46] : [0, 1], anchor: "x2", title: { text: stacked ? "feature x<sub>2</sub>" : "" } },
          annotations,
        },
        readout: [
          ["On the right side of the border: ", "lossbook-strong"],
          `${fixed(100 * shares.linear, 1)} % of the points with one centre per class, as at the test; ${fixed(100 * shares.multi, 1)} % with this draw of ${K} sub-centres; `,
          `${fixed(100 * shares.endless, 1)} % with endlessly many. `,
          `The loss that is trained, Eq. 9, is ${short(loss)} nats; with σ = 0 it would be ${short(narrow)}.`,
        ],
        attributes: { ...shares, loss, narrow, u, v, shiftsA: JSON.stringify(shiftsA), shiftsB: JSON.stringify(shiftsB) },
      };
    },
  };

  Object.assign(window.lossbook.figures, { "two-modes": twoModes });
})();
