import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { FaceFinder } from './faceFinder.js'
import { GraphModel } from './graphModel.js'

/** Loaded once: it has no state. */
let opened: Promise<FaceFinder> | null = null

/**
 * The finder, with the networks that the npm package @vladmandic/human carries (MediaPipe's, Apache-2.0). Pages name the
 * folder of the networks; here it is known.
 */
export function openFaceFinder(_folder?: string | URL): Promise<FaceFinder> {
  opened ??= open()
  return opened
}

async function open(): Promise<FaceFinder> {
  const program = createRequire(import.meta.url).resolve('@vladmandic/human')
  const folder = join(dirname(program), '..', 'models')
  const load = async (name: string) =>
    new GraphModel(
      JSON.parse(await readFile(join(folder, `${name}.json`), 'utf8')),
      await readFile(join(folder, `${name}.bin`)),
    )
  return new FaceFinder(await load('blazeface'), await load('facemesh'))
}
