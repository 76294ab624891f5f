import { imageFolderReader } from './imageFolder.js'
import { parseJsonLines } from './jsonLines.js'
import { labelFileReader } from './labelFile.js'
import type { Reader } from './reader.js'
import { shardReader } from './shards.js'

/** All readers. A folder that several accept is read by the first of them. */
export const readers: readonly Reader[] = [
  labelFileReader({ extensions: ['jsonl', 'json'], parse: parseJsonLines }),
  shardReader,
  imageFolderReader,
]

/** What the readers accept, in help texts and messages. */
export const readable = anyOf(readers.map(({ reads }) => reads))

function anyOf(names: readonly string[]): string {
  return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}
