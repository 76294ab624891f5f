import { takeLock } from '../../src/fileLock.node.js'

// Takes the locks whose paths it is told, says whether it has them, and keeps them.
process.on('message', (path: string) => process.send?.(takeLock(path).release !== null))
process.send?.('ready')
