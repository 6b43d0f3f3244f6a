"use strict";
/* From instants to a line and back. Two scales: `even` gives each thing that happens its own room,
   so that one millisecond beside a day can be seen; `true` is proportional to time. */
const waScale = (() => {
  const STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500].concat(
    [1, 2, 5, 10, 15, 30].map((n) => n * 1000), [1, 2, 5, 10, 15, 30].map((n) => n * 60000),
    [1, 2, 3, 6, 12, 24, 48, 168, 336, 720, 2160, 8760].map((n) => n * 3600000));
  const ROOM = 0.35; // how much wider ten times the time is, against the room of one step

  /** Points `[instant, u]` in order; between two of them the line is straight. */
  function line(points) {
    const last = points.length - 1;
    function between(value, from, to) {
      let low = 0, high = last;
      while (high - low > 1) {
        const middle = (low + high) >> 1;
        if (points[middle][from] <= value) low = middle; else high = middle;
      }
      const [a, b] = [points[low], points[high]];
      return a[to] + ((value - a[from]) * (b[to] - a[to])) / (b[from] - a[from]);
    }
    return { u: (instant) => between(instant, 0, 1), at: (u) => between(u, 1, 0), end: points[last][1] };
  }

  /** Each step its room, longer waits a little more.
   *  @param instants all that happens, from begin to end, sorted, without doubles. */
  function even(instants) {
    let u = 0;
    return line(instants.map((instant, i) => {
      if (i) u += 1 + ROOM * Math.log10(1 + (instant - instants[i - 1]) / 1000);
      return [instant, u];
    }));
  }

  function proportional(instants) {
    const [begin, end] = [instants[0], instants[instants.length - 1]];
    return line([[begin, 0], [end, end - begin]]);
  }

  /** Round instants between two, about `count` of them. */
  function round(begin, end, count) {
    const step = STEPS.find((each) => (end - begin) / each <= count) || STEPS[STEPS.length - 1];
    const ticks = [];
    for (let at = Math.ceil(begin / step) * step; at <= end && ticks.length < 500; at += step) ticks.push(at);
    return ticks;
  }

  return { even, proportional, round };
})();
