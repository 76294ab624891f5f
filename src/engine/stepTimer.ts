import type { CapturedStep } from './capturedStep.js'
import { Profiler } from './profiler.js'
import type { Runtime } from './runtime.js'

/** Shortest round on the device's clock, so that its resolution of up to 0.1 ms does not matter. */
const ROUND_MS = 3
/** Longer for the wall clock, which includes waiting. */
const WALL_ROUND_MS = 20

/** The clock for measuring variants. */
export interface StepTimer {
  /** The wall clock in milliseconds, on which budgets are counted. */
  readonly now: () => number
  /** Steps are repeated until a round takes so many milliseconds. */
  readonly roundMs: number
  /** Milliseconds of one run of `step`, of `repeats` in a row; 0 where they were too few to tell. */
  time(step: CapturedStep, repeats: number): Promise<number>
  /** Call it at the end. */
  close(): void
}

/** Measures by the device's clock if it works, else by the wall clock. */
export class DeviceTimer implements StepTimer {
  /** Times whole passes; null if the adapter has no timestamps, or they do not advance. */
  #profiler: Profiler | null
  readonly #profilerBefore: Profiler | null

  constructor(
    readonly runtime: Runtime,
    readonly now: () => number = () => performance.now(),
  ) {
    this.#profilerBefore = runtime.profiler
    this.#profiler = runtime.caps.timestampQuery ? new Profiler(runtime.device, 'pass') : null
  }

  get roundMs(): number {
    return this.#profiler ? ROUND_MS : WALL_ROUND_MS
  }

  async time(step: CapturedStep, repeats: number): Promise<number> {
    const { runtime } = this
    runtime.flush()
    runtime.profiler = this.#profiler
    const started = this.now()
    for (let i = 0; i < repeats; i++) step.run()
    runtime.flush()
    runtime.profiler = null
    const rows = await this.#profiler?.rows()
    if (!rows) await runtime.device.queue.onSubmittedWorkDone()
    const wall = this.now() - started
    const timed = (rows ?? []).reduce((sum, { milliseconds }) => sum + milliseconds, 0)
    if (timed > 0) return timed / repeats
    if (this.#profiler && wall > WALL_ROUND_MS) this.#dropProfiler()
    return this.#profiler ? 0 : wall / repeats
  }

  close(): void {
    this.runtime.profiler = this.#profilerBefore
    this.#dropProfiler()
  }

  /** At the end, or if its timestamps do not advance: some systems write zeros. */
  #dropProfiler(): void {
    this.#profiler?.destroy()
    this.#profiler = null
  }
}
