import { findAdapter } from '#adapter'
import { deviceDescriptor, type Experimental, readCapabilities } from './capabilities.js'
import { DeviceError } from './errors.js'
import { Runtime } from './runtime.js'
import { Sentinel } from './sentinel.js'

export interface OpenOptions {
  /** Check every kernel's output for NaN and infinity. Slow. */
  debug?: boolean
  /** Features that browsers do not ship yet, see docs/kernels-matmul.md. Off by default. */
  experimental?: readonly Experimental[]
}

/**
 * Finds an adapter (see adapter.node.ts, adapter.browser.ts) and opens a runtime on it.
 * @throws DeviceError if there is no device, or the adapter lacks an experimental feature that was asked for.
 */
export async function openDevice(options: OpenOptions = {}): Promise<Runtime> {
  const { experimental = [] } = options
  const found = await findAdapter({ unsafeApis: experimental.length > 0 })
  const device = await found.adapter.requestDevice(deviceDescriptor(found.adapter, experimental))
  if (!device) throw new DeviceError(`the adapter ${found.description} provided no device`)
  const runtime = new Runtime(device, readCapabilities(found.adapter, device, found.software), found.notice)
  if (options.debug) runtime.sentinel = new Sentinel(runtime)
  return runtime
}
