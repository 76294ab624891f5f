import { publishedPreset } from '../train/recipes.js'
import type { PretrainSettings } from '../train/settings.js'

type Noticed = Partial<Pick<PretrainSettings, 'preset' | 'epochs' | 'warmupEpochs' | 'baseLearningRate'>>

/** Settings that are probably a mistake, one line each, printed before a run starts. */
export function notices({ preset, epochs, warmupEpochs }: Noticed, recipe: string): string[] {
  const lines: string[] = []
  const published = publishedPreset(recipe)
  if (preset !== undefined && published !== null && preset !== published)
    lines.push(`Note: recipe ${recipe} was published for --preset ${published}; this run uses ${preset}.`)
  if (epochs !== undefined && warmupEpochs !== undefined && warmupEpochs >= epochs)
    lines.push(
      `Note: the warm-up (${warmupEpochs} epochs) lasts the whole run (${epochs} epochs), so the learning rate never reaches its peak.`,
    )
  return lines
}
