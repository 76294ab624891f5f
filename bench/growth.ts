/** Whether a long training grows: buffers, bind groups, bytes on the device and on the heap, early and late in one run. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { openDevice } from '../src/engine/device.js'
import type { Runtime } from '../src/engine/runtime.js'
import { presets } from '../src/model/presets.js'
import { trainLoop } from '../src/train/loop/trainLoop.js'
import { noisePretraining } from './noise.js'
import { progress } from './progress.js'
import type { Growth, GrowthSample } from './schema.js'

const BATCH_SIZE = 4
/** Step of the first sample: everything that is created only once exists by then. */
const EARLY_STEP = 100

/** Trains FMAE nano for `epochs` of 64 steps. */
export async function measureGrowth(epochs: number): Promise<Growth> {
  progress('growth')
  const runtime = await openDevice()
  const made = countMade(runtime)
  const collect = exposedGc()
  const samples: GrowthSample[] = []
  const sample = (step: number) => {
    collect()
    const { heapUsed } = process.memoryUsage()
    samples.push({ step, ...made, deviceBytes: runtime.memory.usage.bufferBytes, heapBytes: heapUsed })
  }
  const run = noisePretraining(runtime, presets.nano, { batchSize: BATCH_SIZE, epochs })
  await trainLoop({
    run,
    onSteps: () => undefined,
    onEpoch: async () => {
      const { stepCount } = run.optimizer
      if (stepCount >= EARLY_STEP) sample(stepCount)
    },
    stopRequested: () => false,
  })
  runtime.close()
  return { early: samples[0], late: samples.at(-1)! }
}

/** Counts the objects that the device creates from now on. */
function countMade({ device }: Runtime): { buffers: number; bindGroups: number } {
  const made = { buffers: 0, bindGroups: 0 }
  const createBuffer = device.createBuffer.bind(device)
  const createBindGroup = device.createBindGroup.bind(device)
  device.createBuffer = (descriptor) => {
    made.buffers++
    return createBuffer(descriptor)
  }
  device.createBindGroup = (descriptor) => {
    made.bindGroups++
    return createBindGroup(descriptor)
  }
  return made
}

/** V8's collector, without the user having to start Node with a flag. */
function exposedGc(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc')
}
