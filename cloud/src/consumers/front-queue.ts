const emptyMax = 1024;

/** A list whose first items go one by one, without moving the others each time. */
export class FrontQueue<T> implements Iterable<T> {
  private items: T[] = [];
  private at = 0;

  get first(): T | undefined {
    return this.items[this.at];
  }

  push(item: T): void {
    this.items.push(item);
  }

  /** Behind those that don't come after it; the list is in that order. */
  insert(item: T, comesAfter: (other: T) => boolean): void {
    let [low, high] = [this.at, this.items.length];
    // Mostly it belongs near the end.
    for (let step = 1; low < high - step && comesAfter(this.items[high - step]); step *= 2) high -= step;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (comesAfter(this.items[middle])) high = middle;
      else low = middle + 1;
    }
    this.items.splice(low, 0, item);
  }

  shift(): T | undefined {
    const { first } = this;
    if (this.at < this.items.length) this.at++;
    if (this.at > emptyMax && this.at * 2 > this.items.length) {
      this.items.splice(0, this.at);
      this.at = 0;
    }
    return first;
  }

  keep(wanted: (item: T) => boolean): void {
    this.items = this.items.slice(this.at).filter((item) => wanted(item));
    this.at = 0;
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.at; i < this.items.length; i++) yield this.items[i];
  }
}
