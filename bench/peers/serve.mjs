// The part of an engine's process that all engines share: it takes orders as JSON lines on stdin and answers on file
// descriptor 3, so that what an engine prints cannot be mistaken for an answer.
import { writeFileSync, writeSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { dozeWhileWaiting } from './doze.mjs'

/**
 * One piece of work of one engine, inputs on the device.
 * @typedef {object} Job
 * @property {() => void} enqueue Queues the work once.
 * @property {() => Promise<void>} wait Resolves when all queued work is done.
 * @property {() => Promise<{ name: string, values: Float32Array }[]>} outputs Results of the last run.
 * @property {() => void} dispose
 * @typedef {(work: string, shape: Record<string, number>) => Promise<Job>} LoadJob
 */

/** Answers orders with `loadJob` until stdin ends or "quit" comes. Call it when the WebGPU classes are global. */
export async function serve(loadJob) {
  dozeWhileWaiting()
  /** @type {{ job: Job | null }} */
  const state = { job: null }
  answer({ ready: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line)
    if (order.do === 'quit') break
    try {
      answer((await obey[order.do](state, order, loadJob)) ?? {})
    } catch (error) {
      answer({ error: String(error?.message ?? error) })
    }
  }
  process.exit()
}

function answer(message) {
  writeSync(3, `${JSON.stringify(message)}\n`)
}

const obey = {
  /** Puts a job's inputs on the device. */
  async load(state, { work, shape }, loadJob) {
    state.job = await loadJob(work, shape)
  },
  /** Queues the job `repeats` times back to back, waits for the last; answers milliseconds for each. */
  async time({ job }, { repeats }) {
    const start = performance.now()
    for (let i = 0; i < repeats; i++) job.enqueue()
    await job.wait()
    return { ms: (performance.now() - start) / repeats }
  },
  /** Runs the job once and writes its outputs to `file`, one after the other. */
  async save(state, { file }) {
    const outputs = await state.job.outputs()
    writeFileSync(
      file,
      Buffer.concat(
        outputs.map(({ values }) => Buffer.from(values.buffer, values.byteOffset, values.byteLength)),
      ),
    )
    return { outputs: outputs.map(({ name, values }) => ({ name, length: values.length })) }
  },
  async drop(state) {
    state.job?.dispose()
    state.job = null
  },
}
