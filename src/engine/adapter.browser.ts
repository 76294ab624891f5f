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
 * @throws NoAdapterError whose message a visitor can act on: no WebGPU here, or none of the wanted kind.
 */
export async function findAdapter(options: FindAdapterOptions = {}): Promise<FoundAdapter> {
  if (!globalThis.isSecureContext) throw new NoAdapterError([INSECURE], BE_SECURE)
  const { gpu } = navigator
  if (!gpu) throw new NoAdapterError(['this browser has no WebGPU'], BROWSERS)
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' })
  if (!adapter) throw new NoAdapterError(['this browser has WebGPU, but offers no graphics adapter'], ENABLE)
  const software = isSoftwareAdapter(adapter.info)
  const wantSoftware = options.choice === 'lavapipe' || options.choice === 'swiftshader'
  if (options.choice && software !== wantSoftware) {
    const offered = software ? 'a software adapter' : 'hardware'
    throw new NoAdapterError([`the browser offers ${offered}, not ${options.choice}`], 'Ask for no kind.')
  }
  return foundAdapter(gpu, adapter, software ? 'system' : 'hardware')
}

const INSECURE = 'this page came neither over https nor from localhost'
const BE_SECURE = 'Browsers give WebGPU to no other pages: open it by its https address.'
/** Versions: docs/browser.md. */
const BROWSERS =
  'Chrome and Edge have it from version 113 on, Safari from 26, Firefox from 141 on Windows and from 145 on Macs with Apple silicon.'
const ENABLE =
  "Switch graphics acceleration on in the browser's settings and bring the graphics driver up to date; Chrome on Linux may have to be started with --enable-unsafe-webgpu."
