/** Starts work in order, and only while the total cost of running work stays within the capacity. */
export class Budget {
  #used = 0
  readonly #waiting: { readonly cost: number; readonly start: () => void }[] = []

  constructor(readonly capacity: number) {}

  /** Runs `work` when there is room for it; work that costs more than the capacity runs alone. */
  async run<T>(cost: number, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#hasRoom(cost))
      await new Promise<void>((start) => this.#waiting.push({ cost, start }))
    else this.#used += cost
    try {
      return await work()
    } finally {
      this.#used -= cost
      this.#startWaiting()
    }
  }

  #hasRoom(cost: number): boolean {
    return this.#used === 0 || this.#used + cost <= this.capacity
  }

  #startWaiting(): void {
    for (let next = this.#waiting[0]; next && this.#hasRoom(next.cost); next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#used += next.cost
      next.start()
    }
  }
}
