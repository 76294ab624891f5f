import { register } from 'node:module'

// `node --import=./scripts/typescript.mjs FILE.ts` runs TypeScript as it is.
register('./typescriptLoader.mjs', import.meta.url)
