import type { QuickstartOptions } from '../options.js'

export async function quickstart(_options: QuickstartOptions): Promise<number> {
  return 1
}
