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
