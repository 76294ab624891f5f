/** How long the thread sleeps between two looks at the device. */
const DOZE_MS = 1

/**
 * While a promise of Dawn is pending, its binding for Node looks at the device at every turn of the event loop, without
 * pause, which takes a core away from a software adapter. No engine shall suffer from that in a benchmark: from here on
 * the thread sleeps a little at every turn. Call it when the WebGPU classes are global.
 */
export function dozeWhileWaiting() {
  const clock = new Int32Array(new SharedArrayBuffer(4))
  let pending = 0
  let turning = false
  const turn = () => {
    turning = pending > 0
    if (!turning) return
    Atomics.wait(clock, 0, 0, DOZE_MS)
    setImmediate(turn)
  }
  const dozingWhile = (wait) =>
    async function (...args) {
      pending++
      if (!turning) setImmediate(turn)
      turning = true
      try {
        return await wait.apply(this, args)
      } finally {
        pending--
      }
    }
  GPUBuffer.prototype.mapAsync = dozingWhile(GPUBuffer.prototype.mapAsync)
  GPUQueue.prototype.onSubmittedWorkDone = dozingWhile(GPUQueue.prototype.onSubmittedWorkDone)
}
