import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from './cacheFolder.node.js'
import { VariantStoreError } from './errors.js'
import type { StoredChoices, VariantStore } from './tuner.js'

type Contents = Record<string, StoredChoices>

/** Choices as JSON in `variants.json` of `FMAE_CACHE`, else of the user's cache folder. The twin of variantStore.browser.ts. */
export function openVariantStore(folder = process.env.FMAE_CACHE || cacheFolder()): VariantStore {
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
