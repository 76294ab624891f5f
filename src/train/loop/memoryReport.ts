import type { MicroBatches } from './microBatches.js'

/** Device memory of a training run in bytes, as `--memory-report` prints it. */
export interface MemoryReport {
  readonly parameters: number
  readonly gradients: number
  readonly moments: number
  /** Images, labels, random state, step numbers, f16 copies. */
  readonly other: number
  /** Activations, their gradients and workspaces of a step: the planned buffers. */
  readonly step: number
  /** Bytes live at the step's peak: the lower bound of any plan. */
  readonly stepWorstMoment: number
  readonly total: number
}

/** The device memory of the run while it trains; the step's own part is not allocated yet. */
export function memoryReport({ run, memory, worstMomentBytes }: MicroBatches): MemoryReport {
  const sum = (counts: readonly number[]) => counts.reduce((total, count) => total + count, 0)
  const { chunks, parameters } = run.parameters
  const trainable = sum(chunks.map(({ values }) => values.storage.byteLength))
  const frozen = parameters.filter(({ gradient }) => !gradient)
  const held = trainable + sum(frozen.map(({ storage }) => storage.byteLength))
  const known = held + 3 * trainable
  const { bufferBytes } = run.runtime.memory.usage
  return {
    parameters: held,
    gradients: trainable,
    moments: 2 * trainable,
    other: bufferBytes - known,
    step: memory.bytes,
    stepWorstMoment: worstMomentBytes,
    total: bufferBytes + memory.bytes,
  }
}

export function describeMemory(work: MicroBatches): string {
  if (!work.replayed) return 'Device memory: unknown, because --debug runs without a memory plan.'
  const report = memoryReport(work)
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1).padStart(9)} MiB`
  return [
    'Device memory of this run:',
    `  parameters         ${mib(report.parameters)}`,
    `  gradients          ${mib(report.gradients)}`,
    `  AdamW moments      ${mib(report.moments)}`,
    `  inputs and state   ${mib(report.other)}`,
    `  one step           ${mib(report.step)}   activations, their gradients, workspaces; ${mib(report.stepWorstMoment).trim()} live at the peak`,
    `  total              ${mib(report.total)}`,
  ].join('\n')
}
