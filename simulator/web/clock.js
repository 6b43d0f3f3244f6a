"use strict";
/* Instants in a zone and lengths of time, as people read them. Instants are milliseconds here. */
const waClock = (() => {
  const UNITS = [["d", 86400000], ["h", 3600000], ["min", 60000], ["s", 1000], ["ms", 1]];
  const formats = new Map();

  /** Milliseconds of an instant's text; null stays null. */
  const ms = (text) => (text === null || text === undefined ? null : Date.parse(text));

  /** The shift in milliseconds where the zone is an offset such as `+01:00`; else null. */
  function shift(zone) {
    const found = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
    return found && (found[1] === "-" ? -1 : 1) * (found[2] * 3600000 + found[3] * 60000);
  }

  function format(zone) {
    if (!formats.has(zone)) {
      formats.set(zone, new Intl.DateTimeFormat("en-GB-u-ca-iso8601", {
        timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
        hour: "2-digit", minute: "2-digit", second: "2-digit",
      }));
    }
    return formats.get(zone);
  }

  /** Date and time of an instant in a zone (a name, an offset, or null: UTC). */
  function parts(instant, zone) {
    const by = zone ? shift(zone) : 0;
    let date, time;
    if (by !== null) {
      [date, time] = new Date(instant + by).toISOString().slice(0, -5).split("T");
    } else {
      const said = Object.fromEntries(format(zone).formatToParts(instant).map((p) => [p.type, p.value]));
      date = `${said.year}-${said.month}-${said.day}`;
      time = `${said.hour}:${said.minute}:${said.second}`;
    }
    const rest = ((instant % 1000) + 1000) % 1000;
    return { date, time, rest: rest ? `.${String(rest).padStart(3, "0")}` : "" };
  }

  /** The time of day, as short as it can be said exactly. */
  function time(instant, zone) {
    const said = parts(instant, zone);
    return said.rest || !said.time.endsWith(":00") ? said.time + said.rest : said.time.slice(0, 5);
  }

  const date = (instant, zone) => parts(instant, zone).date;
  const stamp = (instant, zone) => `${date(instant, zone)} ${time(instant, zone)}`;

  /** A length of time in its two largest units; `≈` where that is not all of it. */
  function length(span) {
    let left = Math.abs(span);
    const said = [];
    for (const [name, size] of left < 2 * UNITS[0][1] ? UNITS.slice(1) : UNITS) {
      const count = Math.floor(left / size);
      if (!count || said.length === 2) continue;
      said.push(`${count} ${name}`);
      left -= count * size;
    }
    return (left ? "≈ " : "") + (said.join(" ") || "0 ms");
  }

  return { ms, time, date, stamp, length };
})();
