import { UMAP } from 'umap-js'
import { streams } from '../data/streams.js'
import { PhiloxStream } from '../engine/random.js'

/** The paper's Figure 4 shows 20 subjects; 24 images of each keep the plot light and the run short. */
const MOST_SUBJECTS = 20
const MOST_PER_SUBJECT = 24

/** Indices of the images to embed: up to 24 each of the 20 subjects (in order of name) with the most images. */
export function chooseForEmbedding(subjects: readonly string[]): number[] {
  const images = new Map<string, number[]>()
  subjects.forEach((subject, index) => {
    const list = images.get(subject)
    if (list) list.push(index)
    else images.set(subject, [index])
  })
  const byName = [...images].sort(([a], [b]) => (a < b ? -1 : 1))
  const fullest = byName.sort(([, a], [, b]) => b.length - a.length).slice(0, MOST_SUBJECTS)
  return fullest.flatMap(([, indices]) => indices.slice(0, MOST_PER_SUBJECT))
}

/** Half the side of the square in which UMAP places its initial points. */
const STARTING_RADIUS = 10

/**
 * Maps features [N][D] to the plane by UMAP (McInnes, Healy and Melville 2018), Euclidean distance.
 * The same seed gives the same map.
 *
 * @param start places within the unit circle to start from instead of random ones: features that changed little then keep their places
 */
export function embed2d(
  features: readonly ArrayLike<number>[],
  seed: number,
  start: readonly (readonly [x: number, y: number])[] | null = null,
): [x: number, y: number][] {
  // UMAP requires more points than neighbors; one or two points need no layout.
  if (features.length < 3) return features.map((_, index) => [index, 0])
  const stream = new PhiloxStream(seed, streams.embedding)
  const umap = new UMAP({
    nComponents: 2,
    nNeighbors: Math.min(15, features.length - 1),
    minDist: 0.15,
    nEpochs: start ? 100 : 300,
    random: () => stream.uniform(),
  })
  const epochs = umap.initializeFit(features.map((row) => Array.from(row)))
  // The rows of the embedding are where `step` looks for the places.
  const places = umap.getEmbedding()
  start?.forEach((place, row) => {
    places[row] = place.map((value) => STARTING_RADIUS * value)
  })
  for (let epoch = 0; epoch < epochs; epoch++) umap.step()
  return umap.getEmbedding().map(([x, y]) => [x, y])
}
