/* Interactive figures of the `bce3s` chapter. */
(() => {
  "use strict";

  const { sigmoid, range, fixed, short } = window.lossbook.tools;

  const LENGTH = 6; // of every feature; class vectors have length 1
  const cosine = (degrees) => Math.cos((degrees * Math.PI) / 180);

  /** The forces on one class vector, summed over a data set and divided by the images of its class.
   *
   * Samples of the class stand at `angle` to the vector.  Each of the other N - 1 classes has `imbalance` times as many
   * samples: at `others` to their own vector, at right angles to all the rest.  `bias` is added to this class's metric. */
  function forces({ angle, others, num_classes: N, imbalance, r, bias }) {
    const own = LENGTH * cosine(angle) + bias; // metric of the class, on its own samples; on all others it is the bias
    const theirs = LENGTH * cosine(others);
    const rest = Math.log(N - 1); // of an own sample: N - 1 metrics of 0
    const among = Math.log(Math.exp(theirs) + N - 2); // of another sample: its own metric, and N - 2 of 0
    const count = imbalance * (N - 1);
    return {
      bcePull: sigmoid(-own),
      bceRepel: count * r * sigmoid(bias),
      cePull: sigmoid(rest - own),
      ceRepel: count * sigmoid(bias - among),
    };
  }

  const pullingForces = {
    alt: "Four curves of a force, on a logarithmic axis, over the angle of the class's own features to its vector: pull (solid) and repulsion (dashed) of BCE in blue and of CE in orange. Both pulls rise with the angle, both repulsions are level lines; four diamonds mark the chosen angle.",
    controls: [
      { key: "angle", label: "angle of the class's own features", min: 0, max: 180, step: 1, value: 60, digits: 0 },
      { key: "others", label: "angle of other features to their own vectors", min: 0, max: 180, step: 1, value: 60, digits: 0 },
      { key: "num_classes", label: "number of classes N", min: 2, max: 1000, log: true, value: 100, digits: 0 },
      { key: "imbalance", label: "images of each other class, per own image", min: 0.01, max: 100, log: true, value: 10, digits: 2 },
      { key: "r", label: "share r of the negatives kept (BCE)", min: 0.05, max: 1, step: 0.05, value: 0.4, digits: 2 },
      { key: "bias", label: "bias of the class", min: -12, max: 4, step: 0.1, value: 0, digits: 1 },
    ],
    draw(values, theme) {
      const x = range(0, 180, 91);
      const lines = x.map((angle) => forces({ ...values, angle }));
      const here = forces(values);
      const line = (key, name, color, dash) => ({
        x, y: lines.map((one) => one[key]), name, mode: "lines", line: { color, width: 2.5, dash },
        hovertemplate: `angle %{x}°<br>${name} %{y:.3g}<extra></extra>`,
      });
      const marker = (key, color) => ({
        x: [values.angle], y: [here[key]], mode: "markers", showlegend: false, hoverinfo: "skip", cliponaxis: false,
        marker: { color, size: 10, symbol: "diamond" },
      });
      const ratio = { bce: here.bceRepel / here.bcePull, ce: here.ceRepel / here.cePull };
      const all = lines.flatMap((one) => Object.values(one)).map(Math.log10);
      const [low, high] = [Math.min(...all), Math.max(...all)];
      return {
        data: [
          line("bcePull", "BCE pulls", theme.blue, "solid"), line("bceRepel", "BCE repels", theme.blue, "dash"),
          line("cePull", "CE pulls", theme.accent, "solid"), line("ceRepel", "CE repels", theme.accent, "dash"),
          marker("bcePull", theme.blue), marker("bceRepel", theme.blue), marker("cePull", theme.accent), marker("ceRepel", theme.accent),
        ],
        layout: {
          xaxis: { title: { text: "angle of the class's own features to its vector (degrees)" }, range: [0, 180], dtick: 30, zeroline: false },
          yaxis: { title: { text: "force, per own image" }, type: "log", exponentformat: "power", dtick: high - low > 8 ? 2 : 1,
            range: [low - 0.2, high + 0.2] },
        },
        readout: [
          `BCE pulls with ${short(here.bcePull)} and repels with ${short(here.bceRepel)}, ${short(ratio.bce)} times as strongly. `,
          `CE pulls with ${short(here.cePull)} and repels with ${short(here.ceRepel)}, ${short(ratio.ce)} times as strongly`,
          values.bias === 0 && values.angle === values.others
            ? [`: the imbalance ${fixed(values.imbalance)} itself, because all classes are fitted alike and no bias helps.`, "lossbook-good"]
            : ".",
        ],
        attributes: here,
      };
    },
  };

  Object.assign(window.lossbook.figures, { "pulling-forces": pullingForces });
})();
