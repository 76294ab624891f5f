import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { type StoredChoices, type VariantStore, VariantStoreError } from './tuner.js'

type Contents = Record<string, StoredChoices>

/** Folder of all that may be deleted at any time: `FMAE_CACHE`, else `fmae-webgpu` in the user's cache folder. */
export function cacheFolder(): string {
  const { FMAE_CACHE, XDG_CACHE_HOME } = process.env
  return FMAE_CACHE || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'fmae-webgpu')
}

/** Choices as JSON in `variants.json` of the cache folder. The twin of variantStore.browser.ts. */
export function openVariantStore(folder = cacheFolder()): VariantStore {
  const place = join(folder, 'variants.json')
  const load = async (): Promise<Contents> => {
    try {
      return parse(await readFile(place, 'utf8'))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {}
      throw new VariantStoreError(`${place} cannot be read (${(error as Error).message})`)
    }
  }
  return {
    place,
    load: async (adapter) => (await load())[adapter] ?? {},
    save: async (adapter, choices) => {
      // Read again: another process may have added to it. What is damaged is replaced.
      const contents = await load().catch((): Contents => ({}))
      const merged = { ...contents, [adapter]: { ...contents[adapter], ...choices } }
      const temporary = join(folder, `.variants.${process.pid}.part`)
      try {
        await mkdir(folder, { recursive: true })
        await writeFile(temporary, `${JSON.stringify(merged, null, 1)}\n`)
        await rename(temporary, place)
      } catch (error) {
        throw new VariantStoreError(`${place} cannot be written (${(error as Error).message})`)
      }
    },
  }
}

function parse(text: string): Contents {
  const contents: unknown = JSON.parse(text)
  if (!isRecord(contents)) throw new Error('expected an object')
  for (const [adapter, choices] of Object.entries(contents)) {
    const valid = isRecord(choices) && Object.values(choices).every(isChoice)
    if (!valid) throw new Error(`"${adapter}" holds no choices`)
  }
  return contents as Contents
}

function isChoice(value: unknown): boolean {
  return isRecord(value) && typeof value.variant === 'string' && typeof value.kernels === 'string'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
