import { type Box, overlap } from '../face/box.js'

/** Boxes that overlap by more than this (intersection over union) in consecutive frames show one face. */
const SAME_FACE = 0.3
/** A face that was not seen in so many frames is another one when it comes back. */
const FORGET_AFTER = 30

interface Track {
  readonly id: number
  readonly box: Box
  readonly lastFrame: number
}

/** Numbers the faces of a video: a face keeps its number while its box overlaps that of the frame before. */
export class FaceTracks {
  #tracks: readonly Track[] = []
  #next = 0

  /** The numbers of the faces of the next frame. The best overlaps are matched first. */
  assign(frame: number, boxes: readonly Box[]): number[] {
    const alive = this.#tracks.filter(({ lastFrame }) => frame - lastFrame <= FORGET_AFTER)
    const pairs = boxes
      .flatMap((box, face) => alive.map((track) => ({ face, track, share: overlap(box, track.box) })))
      .filter(({ share }) => share > SAME_FACE)
      .sort((a, b) => b.share - a.share)
    const ids = new Map<number, number>()
    const taken = new Set<Track>()
    for (const { face, track } of pairs) {
      if (ids.has(face) || taken.has(track)) continue
      ids.set(face, track.id)
      taken.add(track)
    }
    const numbers = boxes.map((_, face) => ids.get(face) ?? this.#next++)
    const seen = boxes.map((box, face) => ({ id: numbers[face], box, lastFrame: frame }))
    this.#tracks = [...alive.filter((track) => !taken.has(track)), ...seen]
    return numbers
  }
}
