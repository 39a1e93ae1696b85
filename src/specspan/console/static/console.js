// Live updates, the chart, and the keys of the page of rulings. Every page can be read without it.
"use strict";

(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  let plots = [];

  const stack = (series) => {
    const sums = series[0].map(() => 0);
    return series.map((values) => values.map((value, at) => (sums[at] += value)));
  };

  const markChanges = (changes) => ({
    hooks: {
      draw: (plot) => {
        const { ctx } = plot;
        ctx.save();
        ctx.strokeStyle = css("--accent");
        ctx.fillStyle = css("--accent");
        ctx.lineWidth = devicePixelRatio;
        ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
        for (const change of changes) {
          const x = plot.valToPos(change.time, "x", true);
          if (x < plot.bbox.left || x > plot.bbox.left + plot.bbox.width) continue;
          ctx.beginPath();
          ctx.moveTo(x, plot.bbox.top);
          ctx.lineTo(x, plot.bbox.top + plot.bbox.height);
          ctx.stroke();
          ctx.fillRect(x - 3 * devicePixelRatio, plot.bbox.top, 6 * devicePixelRatio, 6 * devicePixelRatio);
        }
        ctx.restore();
      },
    },
  });

  const drawChart = (figure) => {
    const data = JSON.parse(figure.dataset.chart);
    const names = Object.keys(data.verdicts);
    if (!names.length || typeof uPlot === "undefined") return;
    const place = figure.querySelector(".plot");
    place.replaceChildren();
    const layers = stack(names.map((name) => data.verdicts[name]));
    const starts = data.starts.map((start) => start + data.width / 2);
    const ends = [data.starts[0], data.starts[data.starts.length - 1] + data.width];
    const bars = uPlot.paths.bars({ size: [0.8, 64], align: 0 });
    const stamp = (seconds) => new Date(seconds * 1e3).toISOString();
    const tick = (seconds) => (stamp(seconds).slice(11, 16) === "00:00" ? stamp(seconds).slice(5, 10) : stamp(seconds).slice(11, 16));
    const axis = { stroke: css("--dim"), grid: { stroke: css("--line"), width: 1 }, ticks: { stroke: css("--line"), width: 1 } };
    const series = names.map((name, at) => ({
      label: name.replaceAll("_", " "),
      stroke: css(`--v-${name}`) || css("--dim"),
      fill: css(`--v-${name}`) || css("--dim"),
      width: 0,
      paths: bars,
      points: { show: false },
      value: (_plot, _value, _series, index) => (index == null ? "" : data.verdicts[name][index].toLocaleString("en")),
      order: at,
    }));
    // the tallest is drawn first, the others before it
    const order = series.map((_, at) => at).reverse();
    const options = {
      width: place.clientWidth,
      height: 240,
      scales: { x: { time: true, range: () => ends }, y: { range: (_plot, _min, max) => [0, Math.max(1, max * 1.05)] } },
      axes: [{ ...axis, values: (_plot, ticks) => ticks.map(tick) }, { ...axis, size: 56, values: (_plot, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString("en") : "")) }],
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1e3), "Etc/UTC"),
      series: [{ label: "from (UTC)", value: (_plot, seconds) => (seconds == null ? "" : stamp(seconds - data.width / 2).slice(0, 16).replace("T", " ")) }, ...order.map((at) => series[at])],
      legend: { live: matchMedia("(hover: hover)").matches },
      cursor: { y: false, drag: { x: true, y: false, setScale: false } },
      plugins: [markChanges(data.changes)],
      hooks: {
        setSelect: [
          (plot) => {
            if (plot.select.width < 8) return;
            const at = (x) => `${stamp(plot.posToVal(x, "x")).slice(0, 19)}Z`;
            const range = new URLSearchParams({ since: at(plot.select.left), until: at(plot.select.left + plot.select.width) });
            location.assign(`/traces?${range}`);
          },
        ],
      },
    };
    const plot = new uPlot(options, [starts, ...order.map((at) => layers[at])], place);
    plots.push({ plot, place });
    const table = figure.parentElement.querySelector("details.figures");
    if (table && !table.dataset.kept) table.open = false;
  };

  const drawCharts = () => {
    for (const { plot } of plots) plot.destroy();
    plots = [];
    document.querySelectorAll("figure[data-chart]").forEach(drawChart);
  };

  const listen = () => {
    const live = document.getElementById("live");
    if (!document.querySelector("[hx-trigger*='store-changed']")) return;
    const events = new EventSource("/events");
    events.addEventListener("open", () => { live.hidden = false; live.textContent = "live"; });
    events.addEventListener("error", () => { live.textContent = "not live"; });
    events.addEventListener("changed", () => htmx.trigger(document.body, "store-changed"));
    addEventListener("pagehide", () => events.close());
  };

  const readKeys = () => {
    const form = document.getElementById("ruling");
    const go = (id) => document.getElementById(id)?.click();
    const choose = (kind, next) => {
      const choice = form?.querySelector(`[name=kind][value=${kind}]`);
      if (!choice) return;
      choice.checked = true;
      form.querySelector(`[name=${next}]`).focus();
    };
    const keys = {
      j: () => go("following"),
      k: () => go("before"),
      c: () => choose("confirm", "reason"),
      o: () => choose("overrule", "outcome"),
      u: () => choose("cannot_say", "reason"),
      a: () => choose("approve", "reason"),
      d: () => choose("deny", "reason"),
    };
    form?.querySelector("[name=outcome]")?.addEventListener("change", () => {
      form.querySelector("[value=overrule]").checked = true;
    });
    document.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === "Escape") document.activeElement?.blur();
      if (event.target.matches("input:not([type=radio]), select, textarea")) {
        if (event.key === "Enter" && event.target.matches("select")) {
          event.preventDefault();
          form?.querySelector("[name=reason]").focus();
        }
        return;
      }
      const act = Object.hasOwn(keys, event.key) ? keys[event.key] : undefined;
      if (act) {
        event.preventDefault();
        act();
      }
    });
  };

  addEventListener("DOMContentLoaded", () => {
    readKeys();
    drawCharts();
    listen();
    document.body.addEventListener("htmx:afterSwap", drawCharts);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
    let width = innerWidth;
    addEventListener("resize", () => {
      if (innerWidth === width) return;
      width = innerWidth;
      for (const { plot, place } of plots) plot.setSize({ width: place.clientWidth, height: 240 });
    });
  });
})();
