import {
  type AdapterChoice,
  type AdapterSource,
  type FindAdapterOptions,
  type FoundAdapter,
  foundAdapter,
  NoAdapterError,
} from './adapterInfo.js'
import { useSwiftShader } from './swiftshader.node.js'

export * from './adapterInfo.js'

const CHOICES: readonly AdapterChoice[] = ['hardware', 'lavapipe', 'swiftshader']

// Dawn crashes when the object that create() returned is collected while a device of it lives, so every one made is
// held here for the life of the process.
const holder = globalThis as typeof globalThis & { fmaeGpuInstances?: GPU[] }

/**
 * Finds the best WebGPU adapter through Dawn (npm `webgpu`): a GPU, else an installed software driver that Dawn
 * accepts (lavapipe), else SwiftShader out of an npm package. `FMAE_ADAPTER=hardware|lavapipe|swiftshader` (or
 * `options.choice`) accepts only that kind. Installs the WebGPU classes and constants on globalThis.
 * Nothing is printed: callers show `notice`, which says when the adapter is software.
 * @throws NoAdapterError naming what was tried and the command that mends it.
 */
export async function findAdapter(options: FindAdapterOptions = {}): Promise<FoundAdapter> {
  const choice = options.choice ?? choiceFromEnvironment()
  const tried: string[] = []
  if (choice !== 'swiftshader') {
    const found = await request('system', choice === 'lavapipe' ? ['adapter=llvmpipe'] : [])
    if (found && (choice !== 'hardware' || !found.software)) return found
    tried.push(
      found ? `only software is installed (${found.description})` : `Dawn accepts no installed driver`,
    )
  }
  if (choice === undefined || choice === 'swiftshader') {
    try {
      await useSwiftShader()
      const found = await request('swiftshader', ['adapter=SwiftShader'])
      if (found) return found
      tried.push('Dawn refuses SwiftShader')
    } catch (error) {
      tried.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new NoAdapterError(tried, mend(choice))
}

function choiceFromEnvironment(): AdapterChoice | undefined {
  const wanted = process.env.FMAE_ADAPTER
  if (!wanted) return undefined
  const choice = CHOICES.find((name) => name === wanted)
  if (choice) return choice
  throw new NoAdapterError(
    [`FMAE_ADAPTER is "${wanted}"`],
    `Set it to one of ${CHOICES.join(', ')}, or not at all.`,
  )
}

async function request(origin: 'system' | 'swiftshader', flags: string[]): Promise<FoundAdapter | null> {
  // Imported late: Dawn must not look for Vulkan before useSwiftShader() has chosen one.
  const { create, globals } = await import('webgpu')
  Object.assign(globalThis, globals)
  const gpu = create(flags)
  holder.fmaeGpuInstances = [...(holder.fmaeGpuInstances ?? []), gpu]
  // 'high-performance' makes Dawn rank discrete GPUs before integrated ones, and those before CPUs.
  // A name that matches nothing is an exception in this binding, where WebGPU says null.
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null)
  if (!adapter) return null
  const found = foundAdapter(gpu, adapter, origin)
  const source: AdapterSource = found.software ? origin : 'hardware'
  return { ...found, source }
}

function mend(choice: AdapterChoice | undefined): string {
  if (choice === 'hardware')
    return "Install the GPU's Vulkan driver, or unset FMAE_ADAPTER to allow software."
  return 'To mend it, run: npm run setup'
}
