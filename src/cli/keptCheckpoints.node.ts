import { copyFileSync, existsSync, linkSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { cannotWrite, temporaryBeside, writeAtomically } from '../atomicWrite.node.js'
import type { CheckpointInfo } from '../train/checkpoint/checkpoint.js'
import { saveCheckpoint } from '../train/checkpoint/checkpointFile.node.js'
import type { TrainingRun } from '../train/trainingRun.js'
import { bestPath, checkpointPath } from './runFolder.node.js'

/** How good a state is: the name and value of a measurement. */
export interface Score {
  readonly name: string
  readonly value: number
  readonly better: 'higher' | 'lower'
}

/**
 * The checkpoints of a run: `checkpoint.safetensors` is the newest, `checkpoint-stepN.safetensors` are earlier ones,
 * and `checkpoint-best.safetensors` has the best score, which is in `best.json`.
 */
export class KeptCheckpoints {
  readonly #path: string
  /** Step of the newest; null before the first. */
  #newest: number | null
  /** `best.json`. */
  #best: Readonly<Record<string, unknown>> | null

  /** @param keep how many recent checkpoints to keep, besides the best. */
  constructor(
    readonly out: string,
    readonly run: TrainingRun,
    readonly info: CheckpointInfo,
    readonly keep: number,
  ) {
    this.#path = checkpointPath(out)
    this.#newest = existsSync(this.#path) ? run.optimizer.stepCount : null
    this.#best = existsSync(bestPath(out)) ? readBest(join(out, 'best.json')) : null
  }

  /** Saves the current state, unless it is saved already. A state that is not finite replaces nothing. */
  async save(): Promise<void> {
    const { stepCount } = this.run.optimizer
    if (this.#newest === stepCount) return
    if (this.#newest !== null && this.keep > 1) share(this.#path, this.#stepPath(this.#newest))
    this.#removeOlder(stepCount)
    await saveCheckpoint(this.#path, this.run, this.info)
    this.#newest = stepCount
  }

  /** Keeps the current state as the best if no earlier one scored better. */
  async offer({ name, value, better }: Score, epoch: number): Promise<void> {
    if (!Number.isFinite(value)) return
    const before = this.#best?.[name]
    if (typeof before === 'number' && (better === 'higher' ? value < before : value > before)) return
    const { stepCount: step } = this.run.optimizer
    if (this.#newest === step) share(this.#path, bestPath(this.out))
    else await saveCheckpoint(bestPath(this.out), this.run, this.info)
    this.#best = { epoch, step, [name]: value }
    await writeAtomically(join(this.out, 'best.json'), [Buffer.from(`${JSON.stringify(this.#best)}\n`)])
  }

  /** Lists the saved checkpoints for the user. */
  describe(): string {
    if (this.#newest === null) return 'No checkpoint is saved yet'
    const earlier = this.#earlierSteps(this.#newest).map((step) => `, ${this.#stepPath(step)} (step ${step})`)
    return `Saved checkpoints: ${this.#path} (step ${this.#newest})${earlier.join('')}`
  }

  #stepPath(step: number): string {
    return join(this.out, `checkpoint-step${step}.safetensors`)
  }

  /** Runs before the new checkpoint is written, so that the disk never holds more than `keep`. */
  #removeOlder(step: number): void {
    for (const old of this.#earlierSteps(step).slice(this.keep - 1))
      rmSync(this.#stepPath(old), { force: true })
  }

  /** Steps before `step` that have a checkpoint, the latest first. */
  #earlierSteps(step: number): number[] {
    return readdirSync(this.out)
      .map((name) => Number(/^checkpoint-step(\d+)\.safetensors$/.exec(name)?.[1] ?? Number.NaN))
      .filter((earlier) => earlier < step)
      .sort((a, b) => b - a)
  }
}

function readBest(path: string): Record<string, unknown> | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return null
  }
}

/** Gives the file a second name, replacing any file of that name; copies where the file system has no links. */
function share(path: string, name: string): void {
  const temporary = temporaryBeside(name)
  try {
    try {
      linkSync(path, temporary)
    } catch {
      copyFileSync(path, temporary)
    }
    renameSync(temporary, name)
  } catch (error) {
    throw cannotWrite(name, error)
  } finally {
    rmSync(temporary, { force: true })
  }
}
