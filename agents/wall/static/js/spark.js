// Sparklines: how a series has moved lately. Seeded from what the server remembers, continued from the stream.

const MOST = 480;
const LINE = "#c9d2dc";

export class Spark {
  #times = [];
  #values = [];
  #plot = null;
  #node;

  constructor(node) {
    this.#node = node;
  }

  // Points older than what is known already: [ms, value], oldest first.
  seed(points) {
    const first = this.#times[0] ?? Infinity;
    const older = points.filter(([ms]) => ms / 1000 < first);
    this.#times.unshift(...older.map(([ms]) => ms / 1000));
    this.#values.unshift(...older.map(([, value]) => value));
    this.draw();
  }

  add(value, ms) {
    const last = this.#times.at(-1) ?? -Infinity;
    this.#times.push(Math.max(last, ms / 1000));
    this.#values.push(value.value);
    if (this.#times.length > MOST) this.#thin();
  }

  // Half the points, the newest among them: a longer memory at a coarser step.
  #thin() {
    const keep = (_, index, all) => (all.length - 1 - index) % 2 === 0;
    this.#times = this.#times.filter(keep);
    this.#values = this.#values.filter(keep);
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#node;
    if (!width || height < 20 || this.#times.length < 2) return;
    const data = [this.#times, this.#values];
    if (this.#plot) {
      if (this.#plot.width !== width || this.#plot.height !== height) this.#plot.setSize({ width, height });
      this.#plot.setData(data);
      return;
    }
    const options = {
      width,
      height,
      padding: [6, 0, 0, 0],
      cursor: { show: false },
      legend: { show: false },
      axes: [{ show: false }, { show: false }],
      scales: { x: { time: true }, y: { range: (_, low, high) => room(low, high) } },
      series: [{}, { stroke: LINE, width: 3, fill: "rgba(201, 210, 220, 0.14)", fillTo: (plot) => plot.scales.y.min, points: { show: false } }],
    };
    this.#plot = new window.uPlot(options, data, this.#node);
  }
}

function room(low, high) {
  if (low === null || high === null) return [0, 1];
  const margin = high > low ? (high - low) * 0.12 : Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}
