import { FaceFinder } from './faceFinder.js'
import { GraphModel } from './graphModel.js'

/** The finder, with the networks in a folder of the page's server: blazeface and facemesh, each .json and .bin. */
export async function openFaceFinder(folder: URL | string): Promise<FaceFinder> {
  return new FaceFinder(await load(folder, 'blazeface'), await load(folder, 'facemesh'))
}

async function load(folder: URL | string, name: string): Promise<GraphModel> {
  const file = async (ending: string) => {
    const answer = await fetch(new URL(`${name}.${ending}`, new URL(folder, self.location.href)))
    if (!answer.ok) throw new Error(`${answer.status} ${answer.statusText}`)
    return answer
  }
  try {
    const [topology, weights] = await Promise.all([file('json'), file('bin')])
    return new GraphModel(await topology.json(), new Uint8Array(await weights.arrayBuffer()))
  } catch (error) {
    throw new Error(`the model ${name} cannot be loaded (${(error as Error).message}). Try again.`)
  }
}
