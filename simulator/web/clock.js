"use strict";
/* Instants in a zone and lengths of time, as people read them. Instants are milliseconds here. */
const waClock = (() => {
  const DAY = 86400000, UNITS = [["d", DAY], ["h", 3600000], ["min", 60000], ["s", 1000], ["ms", 1]];
  const formats = new Map(), steady = new Map();

  /** Milliseconds of an instant's text; null stays null. */
  const ms = (text) => (text === null || text === undefined ? null : Date.parse(text));

  /** The shift in milliseconds where the zone is an offset such as `+01:00`; else null. */
  function shift(zone) {
    const found = /^([+-])(\d\d):?(\d\d)$/.exec(zone);
    return found && (found[1] === "-" ? -1 : 1) * (found[2] * 3600000 + found[3] * 60000);
  }

  /** How times of a named zone are written; null where this browser does not know it. */
  function format(zone) {
    if (!formats.has(zone)) formats.set(zone, formatOf(zone));
    return formats.get(zone);
  }

  function formatOf(zone) {
    try {
      return new Intl.DateTimeFormat("en-GB-u-ca-iso8601", {
        timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit",
        hour: "2-digit", minute: "2-digit", second: "2-digit",
      });
    } catch {
      return null;
    }
  }

  /** Whether times can be shown in this zone (a name, an offset, or null: UTC). What is shown in
      another is shown in UTC, and says so. */
  const knows = (zone) => !zone || shift(zone) !== null || format(zone) !== null;

  /** Date and time of an instant in a zone. */
  function parts(instant, zone) {
    const by = knows(zone) && zone ? shift(zone) : 0;
    let date, time;
    if (by !== null) {
      [date, time] = new Date(instant + by).toISOString().slice(0, -5).split("T");
    } else {
      const said = Object.fromEntries(format(zone).formatToParts(instant).map((p) => [p.type, p.value]));
      date = `${said.year.padStart(4, "0")}-${said.month}-${said.day}`;
      time = `${said.hour}:${said.minute}:${said.second}`;
    }
    const rest = ((instant % 1000) + 1000) % 1000;
    return { date, time, rest: rest ? `.${String(rest).padStart(3, "0")}` : "" };
  }

  /** How far the clocks of a zone are ahead of UTC at an instant, in milliseconds. */
  function ahead(instant, zone) {
    const { date, time } = parts(instant, zone);
    return Date.parse(`${date}T${time}Z`) - Math.floor(instant / 1000) * 1000;
  }

  /** How far they are ahead of UTC around an instant: one value, or two where they are changed. */
  function around(instant, zone) {
    const day = Math.floor(instant / DAY), key = `${day} ${zone}`;
    if (!steady.has(key)) steady.set(key, new Set([-1, 2].map((away) => ahead((day + away) * DAY, zone))));
    return [...steady.get(key)];
  }

  /** The instants at which the clocks of a zone show this, the first one first: mostly one; none
      where they skip it, two where they are set back. @param wall what they show, as if in UTC. */
  const instants = (wall, zone) => around(wall, zone).map((by) => wall - by)
    .filter((at) => at + ahead(at, zone) === wall).sort((a, b) => a - b);

  /** An offset as it stands behind a time: `+01:00`. */
  function offset(by) {
    const [hours, minutes, seconds] = new Date(Math.abs(by)).toISOString().slice(11, 19).split(":");
    return `${by < 0 ? "-" : "+"}${hours}:${minutes}${seconds === "00" ? "" : `:${seconds}`}`;
  }

  /** The time of day, as short as it can be said exactly: with its offset where the clocks show it
      twice, or where it is not in the zone that is meant. */
  function time(instant, zone) {
    const said = parts(instant, zone), by = ahead(instant, zone);
    const clock = said.rest || !said.time.endsWith(":00") ? said.time + said.rest : said.time.slice(0, 5);
    const twice = around(instant, zone).length > 1 && instants(instant + by, zone).length > 1;
    return twice || !knows(zone) ? clock + offset(by) : clock;
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

  return { ms, knows, parts, ahead, instants, offset, time, date, stamp, length };
})();
