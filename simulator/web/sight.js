"use strict";
/* Which part of the time is seen, and where in it an instant is. Nothing is drawn here. */
const waSight = (() => {
  const EDGE = 18; // pixels left and right of the line

  /** All instants at which something happens, sorted. */
  function instants(pictures, now) {
    const all = new Set(now ? [waClock.ms(now)] : []);
    for (const picture of pictures) {
      all.add(waClock.ms(picture.begin));
      for (const band of picture.bands) {
        for (const stretch of band.stretches) all.add(waClock.ms(stretch.begin));
        for (const edge of band.edges) all.add(waClock.ms(edge.at));
        for (const mark of band.marks) all.add(waClock.ms(mark.at)).add(waClock.ms(mark.arrived_at));
      }
    }
    return [...all].sort((a, b) => a - b);
  }

  return class {
    width = 900;
    proportional = false;
    #scale;
    #begin = 0; // what is seen, on the scale
    #end = 1;

    /** Take other pictures; then all of the time is seen. */
    load(pictures, now) {
      this.happens = instants(pictures, now);
      const last = this.happens[this.happens.length - 1];
      this.end = Math.max(last + 1, ...pictures.map((picture) => waClock.ms(picture.end)));
      this.rescale(this.proportional);
    }

    rescale(proportional) {
      this.proportional = proportional;
      const last = this.happens[this.happens.length - 1];
      const points = last < this.end ? [...this.happens, this.end] : this.happens;
      this.#scale = (proportional ? waScale.proportional : waScale.even)(points);
      this.#begin = 0;
      this.#end = this.#scale.end;
    }

    get span() { return this.#end - this.#begin; }
    get inner() { return this.width - 2 * EDGE; }
    get from() { return this.#scale.at(this.#begin); }
    get to() { return this.#scale.at(this.#end); }
    get zoomed() { return this.span < this.#scale.end * 0.999999; }
    get least() { return this.proportional ? 4 : 1; } // milliseconds, or the room of one step
    /** How far along what is seen begins, 0 to 1. */
    get place() { return this.zoomed ? this.#begin / (this.#scale.end - this.span) : 0; }

    x(instant) { return EDGE + this.share(instant) * this.inner; }
    /** Where an instant is in what is seen: 0 left, 1 right. */
    share(instant) { return (this.#scale.u(instant) - this.#begin) / this.span; }

    #see(begin, span) {
      const wide = Math.min(this.#scale.end, Math.max(this.least, span));
      this.#begin = Math.min(Math.max(0, begin), this.#scale.end - wide);
      this.#end = this.#begin + wide;
    }

    all() { this.#see(0, this.#scale.end); }
    /** Zoom by a factor around a place in the picture, 0 left to 1 right. */
    zoom(factor, around) { this.#see(this.#begin + this.span * around * (1 - 1 / factor), this.span / factor); }
    /** Move by a share of what is seen. */
    move(share) { this.#see(this.#begin + share * this.span, this.span); }
    moveTo(place) { this.#see(place * (this.#scale.end - this.span), this.span); }
    /** Bring an instant into sight; whether it was not. */
    show(instant) {
      const share = this.share(instant), outside = share < 0 || share > 1;
      if (outside) this.move(share - 0.5);
      return outside;
    }

    /** What was seen of other pictures, seen of these. */
    keep(from, to) { this.#see(this.#scale.u(from), this.#scale.u(Math.min(to, this.end)) - this.#scale.u(from)); }

    /** The instants that the axis names. */
    ticks() {
      const all = this.proportional ? waScale.round(this.from, this.to, Math.max(2, this.width / 110)) : this.happens;
      return all.filter((each) => each >= this.from && each <= this.to);
    }
  };
})();
