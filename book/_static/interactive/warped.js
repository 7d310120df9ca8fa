/* Interactive figures of the `warped` chapter. */
(() => {
  "use strict";

  const { softplus, range, fixed, short } = window.lossbook.tools;

  /** The own proxy first, at the origin; the others at the distance `apart`, four of them on a square. */
  const proxiesOf = (classes, apart) => [[0, 0], [apart, 0], [0, -apart], [apart, -apart]].slice(0, classes);

  /** log sum exp(T [F1(d_y) - d_j]) of lossbook.figures.warped_landscapes.exponent; the loss is its softplus. */
  function exponentAt([x, y], proxies, { alpha, k1, k2, temperature: T }) {
    const [own, ...others] = proxies.map(([px, py]) => Math.hypot(x - px, y - py));
    const nearest = Math.min(...others);
    const warped = k1 * Math.min(own, alpha) + k2 * Math.max(own - alpha, 0);
    return T * (warped - nearest) + Math.log(others.reduce((sum, d) => sum + Math.exp(T * (nearest - d)), 0));
  }

  /** The mean direction m away from the other proxies. */
  function pushAt([x, y], proxies, T) {
    const offsets = proxies.slice(1).map(([px, py]) => [x - px, y - py]);
    const distances = offsets.map(([dx, dy]) => Math.hypot(dx, dy) || 1e-12);
    const nearest = Math.min(...distances);
    const weights = distances.map((d) => Math.exp(T * (nearest - d)));
    const total = weights.reduce((sum, w) => sum + w, 0);
    return [0, 1].map((axis) => offsets.reduce((sum, offset, j) => sum + (weights[j] / total) * offset[axis] / distances[j], 0));
  }

  /** The lowest place: the best point of a grid, among equals the one nearest to the own proxy, refined. */
  function lowest(value, reach) {
    let centre = [0, 0];
    let step = reach / 40;
    let steps = 40;
    for (let round = 0; round < 5; round += 1) {
      let best = { value: Infinity, far: 0, point: centre };
      const around = range(-steps * step, steps * step, 2 * steps + 1);
      for (const dx of around) for (const dy of around) {
        const point = [centre[0] + dx, centre[1] + dy];
        const here = { value: value(point), far: Math.hypot(...point), point };
        if (here.value < best.value - 1e-9 || (here.value < best.value + 1e-9 && here.far < best.far)) best = here;
      }
      centre = best.point;
      step /= 4;
      steps = 6;
    }
    return centre;
  }

  const REACH = 10;

  const warpLandscape = {
    alt: "A map of the plane with contour lines: the logarithm of the loss of an embedding, with arrows along which it moves. A disc is the own proxy, with a dashed circle at the distance α about it, squares are the other proxies and a star is the lowest place.",
    controls: [
      { key: "classes", label: "proxies: two or four", min: 2, max: 4, step: 2, value: 2, digits: 0 },
      { key: "apart", label: "distance between proxies", min: 0.5, max: 8, step: 0.1, value: 3, digits: 1 },
      { key: "alpha", label: "α, the point of attraction", min: 0.1, max: 8, step: 0.1, value: 2, digits: 1 },
      { key: "k1", label: "k_1, slope within α", min: 0.05, max: 0.99, step: 0.01, value: 0.5, digits: 2 },
      { key: "k2", label: "k_2, slope beyond α", min: 1.01, max: 3, step: 0.01, value: 2, digits: 2 },
      { key: "temperature", label: "temperature T", min: 0.1, max: 5, step: 0.1, value: 1, digits: 1 },
    ],
    draw(values, theme, width) {
      const { classes, apart, alpha, k1, k2, temperature: T } = values;
      const proxies = proxiesOf(classes, apart);
      const exponent = (point) => exponentAt(point, proxies, values);
      // Where the loss is tiny it equals the exponential of the exponent.
      const log10Loss = (s) => (s < -20 ? s : Math.log(softplus(s))) / Math.LN10;
      const fine = range(-REACH, REACH, 81);
      const z = fine.map((y) => fine.map((x) => log10Loss(exponent([x, y]))));
      const best = lowest(exponent, REACH);
      const far = Math.hypot(...best);
      const push = Math.hypot(...pushAt([0, 0], proxies, T));
      const trap = k1 > push;
      const atAlpha = Math.abs(far - alpha) < 0.02;
      const place = atAlpha ? "at α" : far < 0.02 ? "at the own proxy, not at α" : "neither at α nor at the own proxy";

      // Along which way the embedding moves; lengths say nothing, Δ sets the speed.
      const coarse = range(-9, 9, width < 480 ? 9 : 13);
      const reach = 0.62 * (coarse[1] - coarse[0]);
      const arrows = { x: [], y: [] };
      for (const x of coarse) for (const y of coarse) {
        const own = Math.hypot(x, y);
        if (own === 0) continue;
        const slope = own < alpha ? k1 : k2;
        const [mx, my] = pushAt([x, y], proxies, T);
        const [vx, vy] = [mx - (slope * x) / own, my - (slope * y) / own];
        const size = Math.hypot(vx, vy);
        if (size < 1e-3) continue;
        const [dx, dy] = [(reach * vx) / size, (reach * vy) / size];
        const [tx, ty] = [x + dx / 2, y + dy / 2];
        const side = (s) => [tx - 0.3 * dx + 0.2 * s * dy, ty - 0.3 * dy - 0.2 * s * dx];
        const [a, b] = [side(1), side(-1)];
        arrows.x.push(x - dx / 2, tx, a[0], null, tx, b[0], null);
        arrows.y.push(y - dy / 2, ty, a[1], null, ty, b[1], null);
      }
      const size = Math.min(width, 600);
      const free = { range: [-REACH, REACH], dtick: 5, zeroline: false, showgrid: false, constrain: "domain" };
      const marker = (points, color, symbol, markerSize, name) => ({
        x: points.map((point) => point[0]), y: points.map((point) => point[1]), mode: "markers", name,
        marker: { color, symbol, size: markerSize, line: { color: theme.background, width: 1.5 } },
        hovertemplate: `${name}: (%{x:.2f}, %{y:.2f})<extra></extra>`,
      });
      return {
        data: [
          { type: "contour", x: fine, y: fine, z, colorscale: theme.heat, ncontours: 24, contours: { coloring: "heatmap" },
            line: { width: 0.6, color: theme.grid }, showlegend: false,
            colorbar: { title: { text: "log<sub>10</sub> of the loss", side: "right" }, thickness: 12, outlinewidth: 0 },
            hovertemplate: "(%{x:.2f}, %{y:.2f})<br>loss = 10<sup>%{z:.2f}</sup><extra></extra>" },
          { ...arrows, mode: "lines", hoverinfo: "skip", showlegend: false, line: { color: theme.text, width: 1.1 } },
          marker(proxies.slice(0, 1), theme.good, "circle", 13, "own proxy"),
          marker(proxies.slice(1), theme.bad, "square", 11, classes === 2 ? "other proxy" : "other proxies"),
          marker([best], theme.accent, "star", 17, "lowest place"),
        ],
        height: size - 20,
        layout: {
          margin: { t: 40, r: 12 },
          xaxis: { ...free, title: { text: "position x" } },
          yaxis: { ...free, title: { text: "position y" }, scaleanchor: "x" },
          shapes: [{ type: "circle", x0: -alpha, x1: alpha, y0: -alpha, y1: alpha, line: { color: theme.text, width: 1.5, dash: "dash" } }],
        },
        readout: [
          "The lowest place is ", [place, atAlpha ? "lossbook-good" : "lossbook-bad"],
          `: ${fixed(far)} from the own proxy, loss ${short(softplus(exponent(best)))}, against ${short(softplus(exponent([0, 0])))} at the proxy. `,
          `At the own proxy the others push with ‖ū‖ = ${fixed(push)}, the proxy pulls with k_1 = ${fixed(k1)}: `,
          trap ? "an embedding near its proxy stays there." : "an embedding near its proxy leaves it.",
        ],
        attributes: { x: best[0], y: best[1], least: exponent(best), push, trap, atAlpha },
      };
    },
  };

  Object.assign(window.lossbook.figures, { "warp-landscape": warpLandscape });
})();
