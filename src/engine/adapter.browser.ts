import {
  type FindAdapterOptions,
  type FoundAdapter,
  foundAdapter,
  isSoftwareAdapter,
  NoAdapterError,
} from './adapterInfo.js'

export * from './adapterInfo.js'

/**
 * Finds the browser's WebGPU adapter; the twin of adapter.node.ts.
 * @throws NoAdapterError whose message tells a visitor what to do: no WebGPU here, or no adapter of the requested kind.
 */
export async function findAdapter(options: FindAdapterOptions = {}): Promise<FoundAdapter> {
  if (!globalThis.isSecureContext) throw new NoAdapterError([INSECURE], BE_SECURE)
  const { gpu } = navigator
  if (!gpu) throw new NoAdapterError(['this browser has no WebGPU'], BROWSERS)
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new NoAdapterError(['this browser has WebGPU, but offers no adapter'], ENABLE)
  const software = isSoftwareAdapter(adapter.info)
  const wantSoftware = options.choice === 'lavapipe' || options.choice === 'swiftshader'
  if (options.choice && software !== wantSoftware) {
    const offered = software ? 'a software adapter' : 'hardware'
    throw new NoAdapterError(
      [`the browser offers ${offered}, not ${options.choice}`],
      'Request any kind of adapter.',
    )
  }
  return foundAdapter(gpu, adapter, software ? 'system' : 'hardware')
}

const INSECURE = 'this page was not loaded over https or from localhost'
const BE_SECURE = 'WebGPU is available only there; open the https address.'
/** Versions: docs/browser.md. */
const BROWSERS =
  'WebGPU requires at least Chrome or Edge 113, Safari 26, or Firefox 141 (Windows) or 145 (Macs with Apple silicon).'
const ENABLE =
  "Turn on graphics acceleration in the browser's settings and update the graphics driver. Chrome on Linux may need the switch --enable-unsafe-webgpu."
