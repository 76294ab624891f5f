import {
  type AdapterChoice,
  type AdapterSource,
  type FindAdapterOptions,
  type FoundAdapter,
  foundAdapter,
  NoAdapterError,
} from './adapterInfo.js'
import { captureStderr } from './stderrCapture.node.js'
import { SwiftShaderError, useSwiftShader } from './swiftshader.node.js'

export * from './adapterInfo.js'

const CHOICES: readonly AdapterChoice[] = ['hardware', 'lavapipe', 'swiftshader']

// Dawn crashes if the object returned by create() is collected while one of its devices lives, so all of them are kept
// for the life of the process.
const holder = globalThis as typeof globalThis & { fmaeGpuInstances?: GPU[] }

/**
 * Finds the best WebGPU adapter through Dawn (npm `webgpu`): a GPU, else an installed software driver that Dawn
 * accepts (lavapipe), else SwiftShader out of an npm package. `FMAE_ADAPTER=hardware|lavapipe|swiftshader` (or
 * `options.choice`) accepts only that kind. Installs the WebGPU classes and constants on globalThis.
 * Prints nothing: callers show `notice`, which says whether the adapter is software.
 * @throws NoAdapterError that names what was tried and how to fix it.
 */
export async function findAdapter(options: FindAdapterOptions = {}): Promise<FoundAdapter> {
  const choice = options.choice ?? choiceFromEnvironment()
  const flags = options.unsafeApis ? ['enable-dawn-features=allow_unsafe_apis'] : []
  const tried: string[] = []
  if (choice !== 'swiftshader') {
    const answer = await request('system', [...flags, ...(choice === 'lavapipe' ? ['adapter=llvmpipe'] : [])])
    if (typeof answer === 'string') tried.push(`Dawn accepts no installed driver${answer}`)
    else if (choice !== 'hardware' || !answer.software) return answer
    else tried.push(`only a software driver is installed (${answer.description})`)
  }
  if (choice === undefined || choice === 'swiftshader') {
    try {
      await useSwiftShader()
      const answer = await request('swiftshader', [...flags, 'adapter=SwiftShader'])
      if (typeof answer !== 'string') return answer
      tried.push(`Dawn refuses SwiftShader${answer}`)
    } catch (error) {
      if (!(error instanceof SwiftShaderError)) throw error
      tried.push(error.message)
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
    `Set it to one of ${CHOICES.join(', ')}, or unset it.`,
  )
}

/** The adapter, or Dawn's reason for giving none. */
async function request(origin: 'system' | 'swiftshader', flags: string[]): Promise<FoundAdapter | string> {
  // Imported late: Dawn must not search for Vulkan before useSwiftShader() has chosen a driver.
  const { create, globals } = await import('webgpu')
  Object.assign(globalThis, globals)
  const gpu = create(flags)
  holder.fmaeGpuInstances = [...(holder.fmaeGpuInstances ?? []), gpu]
  // 'high-performance' makes Dawn rank discrete GPUs before integrated ones, and those before CPUs.
  const ask = () => gpu.requestAdapter({ powerPreference: 'high-performance' })
  const { result, text } = await captureStderr(ask)
  // For a name that matches nothing, this binding throws where WebGPU returns null.
  const adapter = await result.catch(() => null)
  if (!adapter) return dawnReason(text)
  passOn(text)
  const found = foundAdapter(gpu, adapter, origin)
  const source: AdapterSource = found.software ? origin : 'hardware'
  return { ...found, source }
}

/** Dawn's last warning in parentheses: its lines run from general to specific, followed by call stacks. */
function dawnReason(text: string): string {
  const warnings = text.match(/(?<=^Warning: ).*/gm)?.filter((line) => !HARMLESS.test(line)) ?? []
  const last = warnings.at(-1)
  return last ? ` (${last})` : ''
}

/** Shows Dawn's warnings, except those about an excessive limit that was lowered. */
function passOn(text: string): void {
  const lines = text.split('\n').filter((line) => line !== '' && !HARMLESS.test(line))
  if (lines.length > 0) process.stderr.write(`${lines.join('\n')}\n`)
}

const HARMLESS = /artificially reduced from \d+ to \d+ to fit dynamic offset allocation limit/

function mend(choice: AdapterChoice | undefined): string {
  if (choice === 'hardware')
    return "Install the GPU's Vulkan driver, or unset FMAE_ADAPTER to allow software."
  return 'To fix this, run: npm run setup'
}
