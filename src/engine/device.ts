import { findAdapter } from '#adapter'
import { deviceDescriptor, readCapabilities } from './capabilities.js'
import { DeviceError } from './errors.js'
import { Runtime } from './runtime.js'
import { Sentinel } from './sentinel.js'

export interface OpenOptions {
  /** Scan every kernel's output for NaN and infinity. Slow. */
  debug?: boolean
}

/** Finds an adapter (see adapter.node.ts, adapter.browser.ts) and opens a runtime on it. */
export async function openRuntime(options: OpenOptions = {}): Promise<Runtime> {
  const found = await findAdapter()
  const device = await found.adapter.requestDevice(deviceDescriptor(found.adapter))
  if (!device) throw new DeviceError(`the adapter ${found.description} gave no device`)
  const runtime = new Runtime(device, readCapabilities(found.adapter, device, found.software), found.notice)
  if (options.debug) runtime.sentinel = new Sentinel(runtime)
  return runtime
}
